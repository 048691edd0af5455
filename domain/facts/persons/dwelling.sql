-- One row a safety appraisal of a house.
select person_key as subject, h.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       h.grade as house_grade, h.appraised_on, h.built_year, year(as_of()) - h.built_year as house_age, h.repaired
from house h join person p using (person_key)
