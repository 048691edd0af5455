-- One row a person and kind of lasting benefit ever granted: how many records of it run now, and what they pay a month.
with kind as (
    select person_key, benefit, count_if(active)::integer as running, min(case when active then start_on end) as since_on,
           -- Of records without an amount nobody knows what is paid.
           case when bool_and(case when active then amount_fen is not null end)
               then sum(case when active then amount_fen end)::bigint end
               as paid_fen
    from benefit where lasting(benefit) group by all
)
select person_key as subject, k.benefit as episode, as_of() as law_on, p.* exclude (person_key),
       k.benefit as benefit_kind, k.running, k.since_on, k.paid_fen
from kind k join person p using (person_key)
