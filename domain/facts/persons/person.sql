-- Everything the rules know of one person, in one pass over the current records.
-- What tests an absence is NULL where no feed covers the person's division.
-- The date of birth itself goes no further than here: rules, and so evidence, know full years and days since.
-- Who is born on 29 February has the birthday on 1 March where that day is missing: the year is full with
-- the month's last day (民法典第二百零二条).
-- `said` is materialized: else each arm would aggregate into a table of its own first, at twice the cost (docs/adr/0012).
-- A row of `said` is one record with what it says, in few columns that the arms share: each column costs in every arm.
--   place  who says it, and whose word on the division counts first
--   word   tier, household, mark, benefit, ward; where it is none any more, null
--   yes, also  what else the record affirms; see the arm
--   grade, day  of a certificate in force; of joining the household, of aid, of dying
with said as materialized (
    -- yes: the tier is in force; also: it was not refused
    select 1 as place, person_key, division, occurred_at, record_id,
           tier as word, in_force as yes, status <> 'refused' as also, null::integer as grade, null::date as day, born_on
    from entry
    union all
    select 2, person_key, division, occurred_at, record_id,
           case when in_force then household_key end, null, null, null, joined_on, born_on
    from membership
    union all
    -- yes: insured; also: as a resident
    select 3, person_key, division, occurred_at, record_id,
           case when mark_in_force then idet_tier end, insured, insured and insutype = '390', null, null, null
    from insured
    union all
    -- yes: unable to work by its kind and grade; also: mental or intellectual
    select 4, person_key, division, occurred_at, record_id, null,
           active and grade <= case when category in (5, 6) then 3 when category = 4 then 2 when category = 1 then 1 end,
           category in (5, 6), case when active then grade end, null, born_on
    from card
    union all
    -- yes: help with a funeral, granted and not stopped; also: medical, of aid; day: aid was granted
    select 5, person_key, division, occurred_at, record_id,
           case when active then benefit end, benefit = 'funeral_subsidy' and status <> 'stopped',
           benefit = 'medical_aid', null, case when is_aid(benefit) and status <> 'stopped' then granted_on end, null
    from benefit
    union all
    -- Bills are many and say nothing else here: asked only where the insurance of the same department says nothing.
    select 6, person_key, arg_max(nullif(division, ''), row(occurred_at, record_id, division)),
           max(occurred_at), '', null, null, null, null, null, null
    from bill where person_key not in (select person_key from insured where division <> '')
    group by person_key
    union all
    -- yes: dead
    select 7, person_key, division, occurred_at, record_id, null, event = 'death', null, null,
           case when event = 'death' then event_on end, null
    from life_event
    union all
    select 8, person_key, '', null, null, case when severe_disability then other_key end, null, null, null, null, null
    from ward
    union all
    -- yes: enrolled
    select 9, person_key, division, occurred_at, record_id, null, enrolled, null, null, null, born_on from schooling
    union all
    -- yes: able to work; also: in work
    select 10, person_key, division, occurred_at, record_id, null, able, status = 'employed', null, null, null from job
    union all
    select 11, person_key, division, occurred_at, record_id, null, null, null, null, null, null from house
    union all
    select 12, person_key, division, occurred_at, record_id, null, null, null, null, null, null from checked where authorised
    union all
    select 13, person_key, division, occurred_at, record_id, null, null, null, null, null, null from tenancy
    union all
    select 15, person_key, division, occurred_at, record_id, null, null, null, null, null, null from water
    union all
    select 16, person_key, division, occurred_at, record_id, null, null, null, null, null, null from wish
    union all
    -- yes: refused
    select 17, person_key, division, occurred_at, record_id, null, refused, null, null, null, null from application
    union all
    select 18, person_key, division, occurred_at, record_id, null, null, null, null, null, null from relation
    union all
    select 14, person_key, '', null, null, tier, null, null, null, null, null from guardian
), folded as (
    -- No FILTER: each would have DuckDB keep a copy of all columns beside the aggregate. Lists leave NULL out.
    select person_key,
           coalesce(arg_max(nullif(division, ''), row(-place, occurred_at, record_id, division)),
                    '{division_default}') as division,
           coalesce(tier_at(min(case when place = 1 and yes then tier_place(word) end)), '') as tier,
           distinct_list(list(case when place = 1 and yes then word end)) as tiers,
           distinct_list(list(case when place = 1 and also then word end)) as tiers_held,
           bool_or(place = 1) as was_on_roster,
           coalesce(bool_or(place = 17 and yes), false) as application_refused,
           arg_min(case when place = 2 then word end,
                   row(date '9999-12-31' - coalesce(day, date '0001-01-01'), word)) as household_key,
           distinct_list(list(case when place = 3 then word end)) as marks,
           coalesce(min(grade) <= 2, false) as severe_disability,
           min(grade) as held_grade, min(case when also then grade end) as held_mental_grade,
           coalesce(bool_or(place = 3 and yes), false) as insured,
           coalesce(bool_or(place = 3 and also), false) as resident,
           distinct_list(list(case when place = 5 then word end)) as benefits,
           coalesce(bool_or(place = 5 and yes), false) as funeral,
           max(case when place = 5 and also then day end) as medical_aid_on,
           max(case when place = 5 and not also then day end) as temporary_aid_on,
           coalesce(bool_or(place = 10 and yes), false) as able_to_work,
           coalesce(bool_or(place = 10 and also), false) as in_work,
           not coalesce(bool_or(place = 7 and yes), false) as alive,
           min(case when place = 7 then day end) as died_on,
           len(distinct_list(list(case when place = 8 then word end)))::integer as wards_severe,
           coalesce(tier_at(min(case when place = 14 then tier_place(word) end)), '') as guardian_tier,
           coalesce(bool_or(place = 9 and yes), false) as enrolled,
           coalesce(bool_or(place = 4 and yes), false) as disabled_from_work,
           min(born_on) as born_on
    from said group by person_key
), aged as (
    select *, (year(as_of()) - year(born_on)
               - (month(as_of()) * 100 + day(as_of()) < month(born_on) * 100 + day(born_on))::integer)::integer as age
    from folded
)
select person_key, division, tier, tiers, tiers_held, was_on_roster, application_refused, household_key, marks,
       severe_disability, benefits, medical_aid_on, temporary_aid_on, alive, died_on, wards_severe, able_to_work,
       in_work, guardian_tier, age,
       date_diff('day', make_date(year(born_on) + age, month(born_on), 1) + (day(born_on) - 1)::integer, as_of())
           as days_since_birthday,
       -- 特困人员认定办法（民发〔2021〕43号）第五条: by age, or by kind and grade of a valid certificate.
       case when disabled_from_work or age >= 60 or age < 16 then true
            when covered('disability.card', division) and age is not null then false end as incapable,
       case when enrolled then true when covered('education.enrolment', division) then false end as at_school,
       covered('medical.insurance', division) as insurance_covered,
       case when covered('civil.check', division) then true end as checks_covered,
       case when tier <> '' then true when covered('civil.roster', division) then false end as on_roster,
       case when insured then true when covered('medical.insurance', division) then false end as insured,
       case when resident then true when covered('medical.insurance', division) then false end as resident_insured,
       coalesce(held_grade, case when covered('disability.card', division) then 9 end) as best_grade,
       coalesce(held_mental_grade, case when covered('disability.card', division) then 9 end) as best_mental_grade,
       case when list_contains(benefits, 'living_subsidy') then true
            when covered('civil.benefit', division) then false end as living_subsidy,
       case when list_contains(benefits, 'care_subsidy') then true
            when covered('civil.benefit', division) then false end as care_subsidy,
       case when funeral then true when covered('civil.benefit', division) then false end as funeral_subsidy
from aged
