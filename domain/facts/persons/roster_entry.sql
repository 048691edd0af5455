-- One row an entry of the roster.
select person_key as subject, e.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       e.tier as entry_tier, e.review_class as entry_class, e.start_on as entry_start_on, e.in_force as entry_in_force,
       e.status as entry_status, e.left_on as entry_end_on, date_diff('day', e.left_on, as_of()) as days_since_end,
       e.taper_until, date_diff('day', as_of(), e.taper_until) as days_to_taper_end,
       e.verified_on, date_diff('day', e.verified_on, as_of()) as days_since_verified,
       case when list_contains(p.marks, e.tier) then true when p.insurance_covered then false end as marked
from entry e join person p using (person_key)
