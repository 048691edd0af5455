-- Entries of the roster (civil.roster). An entry that was left counts until the day it was left, one that tapers off
-- until the taper ends. listed: by the entry itself; in_force: and the law still has the tier. review_class: A, B, C or
-- '' for none; a letter that no period is known of is none.
with said as (
    select {envelope}, born_on, tier, status, start_on, end_on, taper_until, verified_on,
           case when review_class in ('A', 'B', 'C') then review_class else '' end as review_class,
           case when end_on is not null or status = 'exited' then greatest(end_on, taper_until) end as left_on
    from {civil.roster}
), dated as (
    select *, coalesce(tier_place(tier) is not null and start_on <= as_of()
                       and (left_on > as_of() or (left_on is null and status = 'active'))
                       and status in ('active', 'exited'), false) as listed
    from said
)
select *, listed and tier_kept(tier, coalesce(nullif(division, ''), '{division_default}'), as_of()) as in_force
from dated
