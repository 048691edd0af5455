-- One row a registered event other than a death: custody, a move out of the county, an accident, a disaster.
select person_key as subject, e.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       e.event as incident, e.event_on as happened_on, e.source_kind,
       date_diff('day', e.event_on, as_of()) as days_since,
       list_filter(p.benefits, lambda b: lasting(b)) as running_benefits,
       case when greatest(p.medical_aid_on, p.temporary_aid_on) >= e.event_on then true
            when covered('civil.benefit', p.division) then false end as aided_since
from life_event e join person p using (person_key)
where e.event <> 'death'
