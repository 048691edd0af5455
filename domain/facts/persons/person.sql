-- Everything the rules know of one person, in one pass over the current records.
-- What tests an absence is NULL where no feed covers the person's division.
-- The date of birth itself goes no further than here: rules, and so evidence, know full years and days since.
-- Who is born on 29 February has the birthday on 1 March where that day is missing: the year is full with
-- the month's last day (民法典第二百零二条).
with said as (
    select 1 as place, person_key, division, occurred_at, record_id,
           tier, in_force as tier_in_force, status <> 'refused' as tier_held, born_on from entry
    union all by name
    select 2 as place, person_key, division, occurred_at, record_id,
           case when in_force then household_key end as household_key, joined_on, born_on from membership
    union all by name
    select 3 as place, person_key, division, occurred_at, record_id,
           case when mark_in_force then idet_tier end as mark,
           insured, coalesce(insured and insutype = '390', false) as resident from insured
    union all by name
    select 4 as place, person_key, division, occurred_at, record_id,
           case when active then grade end as held_grade,
           case when active and category in (5, 6) then grade end as held_mental_grade,
           active and coalesce(grade <= case when category in (5, 6) then 3 when category = 4 then 2 when category = 1 then 1 end, false)
               as disabled_from_work, born_on from card
    union all by name
    select 5 as place, person_key, division, occurred_at, record_id,
           case when active then benefit end as benefit,
           benefit = 'funeral_subsidy' and status <> 'stopped' as funeral from benefit
    union all by name
    -- Bills are many and say nothing else here: asked only where the insurance of the same department says nothing.
    select 6 as place, person_key,
           arg_max(division, row(occurred_at, record_id, division)) filter (division <> '') as division,
           max(occurred_at) as occurred_at, '' as record_id
    from bill where person_key not in (select person_key from insured where division <> '')
    group by person_key
    union all by name
    select 7 as place, person_key, division, occurred_at, record_id,
           event = 'death' as dead, case when event = 'death' then event_on end as died_on from life_event
    union all by name
    select 8 as place, person_key, '' as division, case when severe_disability then other_key end as ward from ward
    union all by name
    select 9 as place, person_key, division, occurred_at, record_id, enrolled, born_on from schooling
    union all by name
    select 10 as place, person_key, division, occurred_at, record_id, able, status = 'employed' as works from job
    union all by name
    select 11 as place, person_key, division, occurred_at, record_id from house
    union all by name
    select 12 as place, person_key, division, occurred_at, record_id from checked
    union all by name
    select 13 as place, person_key, division, occurred_at, record_id from tenancy
    union all by name
    select 14 as place, person_key, '' as division, tier as guardian_tier from guardian
), folded as (
    select person_key,
           coalesce(arg_max(division, row(-place, occurred_at, record_id, division)) filter (division <> ''),
                    '{division_default}') as division,
           coalesce(tier_at(min(tier_place(tier)) filter (tier_in_force)), '') as tier,
           distinct_list(list(tier) filter (tier_in_force)) as tiers,
           distinct_list(list(tier) filter (tier_held and tier is not null)) as tiers_held,
           count(*) filter (place = 1) > 0 as was_on_roster,
           arg_min(household_key, row(date '9999-12-31' - coalesce(joined_on, date '0001-01-01'), household_key))
               filter (household_key is not null) as household_key,
           distinct_list(list(mark) filter (mark is not null)) as marks,
           coalesce(min(held_grade) <= 2, false) as severe_disability,
           min(held_grade) as held_grade, min(held_mental_grade) as held_mental_grade,
           coalesce(bool_or(insured), false) as insured, coalesce(bool_or(resident), false) as resident,
           distinct_list(list(benefit) filter (benefit is not null)) as benefits,
           coalesce(bool_or(funeral), false) as funeral,
           coalesce(bool_or(able), false) as able_to_work, coalesce(bool_or(works), false) as in_work,
           not coalesce(bool_or(dead), false) as alive,
           min(died_on) as died_on,
           len(distinct_list(list(ward) filter (ward is not null)))::integer as wards_severe,
           coalesce(tier_at(min(tier_place(guardian_tier))), '') as guardian_tier,
           coalesce(bool_or(enrolled), false) as enrolled,
           coalesce(bool_or(disabled_from_work), false) as disabled_from_work,
           min(born_on) as born_on
    from said group by person_key
), aged as (
    select *, (year(as_of()) - year(born_on)
               - (month(as_of()) * 100 + day(as_of()) < month(born_on) * 100 + day(born_on))::integer)::integer as age
    from folded
)
select person_key, division, tier, tiers, tiers_held, was_on_roster, household_key, marks,
       severe_disability, benefits, alive, died_on, wards_severe, able_to_work, in_work, guardian_tier, age,
       date_diff('day', make_date(year(born_on) + age, month(born_on), 1) + (day(born_on) - 1)::integer, as_of())
           as days_since_birthday,
       -- 特困人员认定办法（民发〔2021〕43号）第五条: by age, or by kind and grade of a valid certificate.
       case when disabled_from_work or age >= 60 or age < 16 then true
            when covered('disability.card', division) and age is not null then false end as incapable,
       case when enrolled then true when covered('education.enrolment', division) then false end as at_school,
       covered('medical.insurance', division) as insurance_covered,
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
