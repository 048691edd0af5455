-- What each member contributes to the household (hub.member).
select household_key, person_key, division, head, alive, tier, years, severe_disability, wards_severe
from {hub.member}
