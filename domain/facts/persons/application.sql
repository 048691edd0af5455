-- Applications for aid (civil.application). pending: civil affairs has not decided yet.
select {envelope}, household_key, applied_on,
       coalesce(state in ('accepted', 'checking', 'publicity'), false) as pending,
       coalesce(state = 'refused', false) as refused
from {civil.application}
