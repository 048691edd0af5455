-- One row a person whom the bureau of agriculture registered: the newest answer, and any support that runs.
with said as (
    select person_key, arg_max(willing, row(asked_on, record_id)) as willing,
           max(case when willing is not null then asked_on end) as asked_on, bool_or(supported) as industry_support
    from wish group by person_key
)
select person_key as subject, 'industry' as episode, as_of() as law_on, p.* exclude (person_key),
       s.willing, s.asked_on, s.industry_support
from said s join person p using (person_key)
