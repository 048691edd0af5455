-- One row a relation of social insurance that goes with work. paid_on: another was paid for a later month; of two that
-- were paid as long, the one with the greater number speaks. Of one without a last month nobody knows how long.
with of_work as (
    select * from relation where of_work
), person_paid as (
    select person_key, max(case when last_paid_on is not null then row(last_paid_on, record_id) end) as newest,
           bool_or(last_paid_on is null) as unsure, bool_or(retired) as retired
    from of_work group by person_key
)
select person_key as subject, r.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       r.insurance, r.last_paid_on, date_diff('day', r.unpaid_from, as_of()) as days_unpaid,
       case when row(r.last_paid_on, r.record_id) < n.newest then true
            when not n.unsure and covered('employment.contribution', p.division) then false end as paid_on,
       n.retired, r.insured_at, r.insured_at <> left(nullif(p.division, ''), 6) as insured_elsewhere,
       coalesce((select max(date_diff('day', j.since_on, as_of())) from job j
                 where j.person_key = r.person_key and j.able and j.status = 'unemployed'
                   and j.since_on >= r.last_paid_on), 0) as registered_days,
       case when p.temporary_aid_on >= r.unpaid_from then true
            when covered('civil.benefit', p.division) then false end as aided_since
from of_work r join person_paid n using (person_key) join person p using (person_key)
