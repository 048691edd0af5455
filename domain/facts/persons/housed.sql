-- One row a registration of how a family is housed; support on any of the person's counts.
select person_key as subject, t.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       t.tenure, t.area_per_head_dm2 as area_per_head, t.surveyed_on,
       exists (select 1 from tenancy s where s.person_key = t.person_key and s.supported) as supported
from tenancy t join person p using (person_key)
