-- What the employment service knows (employment.status).
select {envelope}, status, since_on, coalesce(able, false) as able, coalesce(refusals, 0) as refusals,
       wage_fen, coalesce(helped_on >= since_on, false) as helped
from {employment.status}
