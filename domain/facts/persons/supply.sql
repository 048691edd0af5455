-- One row an appraisal of drinking water. Safe: by any appraisal or repair of the person's water since.
select person_key as subject, w.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       w.grade as water_grade, w.assessed_on as water_assessed_on,
       exists (select 1 from water s where s.person_key = w.person_key
               and ((s.grade in ('safe', 'basic') and s.assessed_on >= w.assessed_on)
                    or s.repaired_on >= w.assessed_on)) as water_safe
from water w join person p using (person_key)
