-- One row a record of medical insurance.
select person_key as subject, i.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       i.idet_tier as mark_tier, i.idet_begndate as marked_on, i.mark_in_force, i.premium_subsidy_fen
from insured i join person p using (person_key)
