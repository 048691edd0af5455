-- One row an enrolment at a school.
select person_key as subject, s.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       s.stage, s.status as school_status, s.enrolled_on, s.enrolled, s.absent_days, s.student_aid, s.yulu,
       date_diff('day', s.enrolled_on, as_of()) as days_enrolled,
       case when p.temporary_aid_on >= s.enrolled_on then true
            when covered('civil.benefit', p.division) then false end as aided_since
from schooling s join person p using (person_key)
