-- One row a household: whether it can live by itself, and what the newest check of a living member says;
-- of several on one day that of the higher income.
with newest as (
    select household_key, arg_max(member, row(checked_on, income_month_fen, not assets_ok, person_key)) as said
    from member where alive and checked_on is not null group by household_key
)
select h.household_key as subject, 'means' as episode, as_of() as law_on, h.*,
       n.said.checked_on, n.said.income_month_fen, n.said.assets_ok,
       date_diff('day', n.said.checked_on, as_of()) as days_since_check
from household h left join newest n using (household_key)
