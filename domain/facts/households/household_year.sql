-- One row a household and year: the self-pay of all members, also of those who died.
with spent as (
    select household_key, unnest(years, recursive := true) from member
), paid as (
    select household_key, year,
           sum(self_pay_fen)::bigint as self_pay_fen,
           sum(aided_self_pay_fen)::bigint as aided_self_pay_fen,
           count(*)::integer as payers
    from spent group by all
)
select household_key as subject, year::varchar as episode, least(as_of(), make_date(year, 12, 31)) as law_on,
       household_key, h.* exclude (household_key), year, self_pay_fen, aided_self_pay_fen, payers,
       year <= year(as_of()) as year_begun,
       date_diff('day', make_date(year, 12, 31), as_of()) as days_after_year
from paid join household h using (household_key)
