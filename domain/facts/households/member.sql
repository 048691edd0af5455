-- What each member contributes to the household (hub.member).
select household_key, person_key, division, head, alive, tier, years, severe_disability, wards_severe, died_on, able, in_work,
       days, medical_aid_on, on_roster, checked_on, income_month_fen, assets_ok, education_year_fen, incapable,
       unauthorised_on, checks_covered, applied_on,
       '' as record_id, caused_at as published_at, lane, "partition", "offset"
from {hub.member}
