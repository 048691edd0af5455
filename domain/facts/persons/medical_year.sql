-- One row a person and year with bills: what was paid, and how much of it before the year's latest aid.
with aid as (
    select person_key, year(granted_on)::integer as year, max(granted_on) as aid_on
    from benefit
    where is_aid(benefit) and status <> 'stopped' and granted_on is not null
    group by all
), paid as (
    select bill.person_key, year(day)::integer as year, any_value(aid_on) as aid_on,
           coalesce(sum(self_pay_fen), 0)::bigint as self_pay_fen,
           coalesce(sum(case when day <= aid_on then self_pay_fen end), 0)::bigint as aided_self_pay_fen,
           count(*)::integer as bills,
           max(day) as last_bill_on
    from bill left join aid on aid.person_key = bill.person_key and aid.year = year(bill.day)
    where valid
    group by all
)
select person_key as subject, year::varchar as episode, least(as_of(), make_date(year, 12, 31)) as law_on,
       p.* exclude (person_key), year, self_pay_fen, aid_on, aided_self_pay_fen, bills, last_bill_on,
       year <= year(as_of()) as year_begun,
       date_diff('day', make_date(year, 12, 31), as_of()) as days_after_year
from paid join person p using (person_key)
