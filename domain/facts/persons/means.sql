-- One row a check of means with an authorisation.
select person_key as subject, c.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       c.finding, c.checked_on, c.income_month_fen, c.assets_ok, date_diff('day', c.checked_on, as_of()) as days_since_check
from checked c join person p using (person_key)
where c.authorised
