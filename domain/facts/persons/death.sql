-- One row a record of a death: what was still running, and the tiers held on the day of death.
select person_key as subject, d.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       d.event_on, d.source_kind,
       list_filter(p.benefits, lambda b: lasting(b)) as running_benefits,
       coalesce(h.tiers, []) as tiers_at_death
from life_event d
join person p using (person_key)
left join (
    select d.person_key, d.record_id, distinct_list(list(e.tier)) as tiers
    from life_event d join entry e using (person_key)
    where e.status in ('active', 'exited') and e.start_on <= d.event_on
      and (e.left_on is null or e.left_on > d.event_on)
      and tier_kept(e.tier, coalesce(nullif(e.division, ''), '{division_default}'), d.event_on)
    group by all
) h using (person_key, record_id)
where d.event = 'death'
