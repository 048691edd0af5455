-- Who belongs to which household (civil.household).
select {envelope}, born_on, household_key, coalesce(head, false) as head, joined_on,
       coalesce(household_key <> '' and (joined_on is null or joined_on <= as_of())
                and (left_on is null or left_on > as_of()), false) as in_force
from {civil.household}
