-- One row a person and kind of lasting benefit ever granted: how many records of it run now.
with kind as (
    select person_key, benefit, count(*) filter (active)::integer as running, min(start_on) filter (active) as since_on
    from benefit where lasting(benefit) group by all
)
select person_key as subject, k.benefit as episode, as_of() as law_on, p.* exclude (person_key),
       k.benefit as benefit_kind, k.running, k.since_on
from kind k join person p using (person_key)
