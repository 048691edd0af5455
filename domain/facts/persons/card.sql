-- Disability certificates (disability.card).
select {envelope}, born_on, category, grade, issued_on, valid_until, nullif(guardian_key, '') as guardian_key,
       coalesce(status = 'active' and (valid_until is null or valid_until >= as_of()), false) as active
from {disability.card}
