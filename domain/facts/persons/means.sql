-- One row a check of means with an authorisation.
select person_key as subject, c.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       c.finding, c.checked_on, c.income_month_fen, c.assets_ok, date_diff('day', c.checked_on, as_of()) as days_since_check,
       (select arg_max(w.grade, row(coalesce(w.assessed_on, date '0001-01-01'), w.record_id))
        from water w where w.person_key = c.person_key) as water_grade
from checked c join person p using (person_key)
where c.authorised
