-- Benefits granted by civil affairs (civil.benefit).
select {envelope}, benefit, status, granted_on, start_on, end_on, amount_fen,
       coalesce(status = 'active' and start_on <= as_of() and (end_on is null or end_on > as_of()), false) as active
from {civil.benefit}
