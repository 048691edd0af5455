-- One row a household: the head's division, the tier of its living members by precedence.
select household_key,
       coalesce(arg_min(nullif(division, ''), row(not head, person_key)), '{division_default}') as division,
       coalesce(tier_at(min(case when alive then tier_place(tier) end)), '') as tier,
       -- Unknown where nobody living is listed and a member's place is not covered.
       case when bool_or(case when alive then on_roster end) then true
            when not bool_or(case when alive then on_roster is null end) then false end as on_roster,
       count(*)::integer as members,
       count_if(alive)::integer as members_alive,
       count_if(severe_disability and alive)::integer as members_severe,
       count_if(able and alive)::integer as members_able,
       count_if(in_work and alive)::integer as members_in_work,
       case when coalesce(bool_or(alive and not incapable), false) then false
            when count_if(alive and incapable is null) = 0 then true end as all_incapable
from member group by household_key
