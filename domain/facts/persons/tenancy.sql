-- How families are housed, and whether public rental housing or a rent subsidy runs (housing.tenancy).
select {envelope}, tenure, area_per_head_dm2, surveyed_on,
       coalesce(support in ('public_rental', 'rent_subsidy') and support_from <= as_of()
                and (support_until is null or support_until > as_of()), false) as supported
from {housing.tenancy}
