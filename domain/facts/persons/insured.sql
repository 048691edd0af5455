-- Medical insurance and the aid identity that 医保 marked on it (medical.insurance).
select {envelope}, insured, insutype, idet_tier, idet_begndate, premium_subsidy_fen,
       coalesce(idet_tier <> '' and idet_begndate <= as_of()
                and (idet_enddate is null or idet_enddate > as_of()), false) as mark_in_force
from {medical.insurance}
