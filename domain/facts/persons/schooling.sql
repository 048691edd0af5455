-- Pupils and students (education.enrolment).
select {envelope}, born_on, stage, status, enrolled_on, coalesce(absent_days, 0) as absent_days,
       nullif(guardian_key, '') as guardian_key,
       coalesce(student_aid, false) as student_aid, coalesce(yulu, false) as yulu,
       coalesce(status in ('enrolled', 'suspended') and enrolled_on <= as_of()
                and (ended_on is null or ended_on > as_of()), false) as enrolled
from {education.enrolment}
