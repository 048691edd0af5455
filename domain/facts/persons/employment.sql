-- One row a registration at the employment service.
select person_key as subject, j.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       j.status as job_status, j.since_on as job_since_on, j.able, j.refusals, j.wage_fen, j.helped,
       date_diff('day', j.since_on, as_of()) as days_in_status,
       case when p.temporary_aid_on >= j.since_on then true
            when covered('civil.benefit', p.division) then false end as aided_since
from job j join person p using (person_key)
