-- What each member contributes to the household (hub.member).
select household_key, person_key, division, head, alive, tier, years,
       severe_disability, wards_severe, caused_at as published_at, lane, "partition", "offset", '' as record_id
from {hub.member}
