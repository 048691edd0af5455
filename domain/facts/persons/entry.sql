-- Entries of the roster (civil.roster). An entry that was left counts until the day it was left.
select {envelope}, born_on, tier, status, start_on, end_on,
       coalesce(tier_place(tier) is not null
                and (status = 'active' or (status = 'exited' and end_on > as_of()))
                and start_on <= as_of() and (end_on is null or end_on > as_of()), false) as in_force
from {civil.roster}
