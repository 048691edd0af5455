-- One row a disability certificate.
select person_key as subject, c.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       c.category, c.grade, c.issued_on, c.valid_until, c.active as card_active
from card c join person p using (person_key)
