-- One row a household: the head's division, the tier of its living members by precedence.
select household_key,
       coalesce(arg_min(division, row(not head, person_key)) filter (division <> ''), '{division_default}') as division,
       coalesce(tier_at(min(tier_place(tier)) filter (alive)), '') as tier,
       -- Unknown where nobody living is listed and a member's place is not covered.
       case when bool_or(on_roster) filter (alive) then true
            when not bool_or(on_roster is null) filter (alive) then false end as on_roster,
       count(*)::integer as members,
       count(*) filter (alive)::integer as members_alive,
       count(*) filter (severe_disability and alive)::integer as members_severe,
       count(*) filter (able and alive)::integer as members_able,
       count(*) filter (in_work and alive)::integer as members_in_work,
       case when coalesce(bool_or(not incapable) filter (alive), false) then false
            when count(*) filter (alive and incapable is null) = 0 then true end as all_incapable
from member group by household_key
