-- One row a day on which a head of the household died.
select m.household_key as subject, m.died_on::varchar as episode, as_of() as law_on, m.household_key, h.* exclude (household_key),
       m.died_on as head_died_on, date_diff('day', m.died_on, as_of()) as days_since
from member m join household h using (household_key)
where m.head and m.died_on is not null
