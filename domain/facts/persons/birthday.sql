-- One row a person in the year that follows the 16th, the 18th or the 60th birthday; also where the age is not known.
select person_key as subject, coalesce(age::varchar, '') as episode, as_of() as law_on, p.* exclude (person_key)
from person p
where coalesce(age in (16, 18, 60), true)
