-- One row a household: what its members paid in the twelve months up to today, beside the newest check of its means.
-- Of several checks of one day the one with the higher income counts, and before it one that says none.
-- Without a check its income is unknown, and nobody guesses it. One that was not authorised counts where none came later. What passed is older, since 1 January of last year.
with newest as (
    select household_key, max(medical_aid_on) as medical_aid_on, max(unauthorised_on) as unauthorised_on,
           max(applied_on) as applied_on,
           case when count(*) = count(checks_covered) then true end as checks_covered,
           max(case when checked_on is not null then {'checked_on': checked_on, 'income_month_fen': income_month_fen,
               'assets_ok': assets_ok, 'education_year_fen': education_year_fen} end) as said
    from member group by household_key
), spent as (
    select household_key, unnest(days, recursive := true) from member
), paid as (
    select household_key,
           sum(case when recent then self_pay_fen end) as recent_self_pay_fen,
           sum(case when recent then policy_self_pay_fen end) as policy_self_pay_fen,
           sum(case when recent and day <= medical_aid_on then policy_self_pay_fen end) as aided_policy_fen,
           sum(case when not recent then self_pay_fen end) as passed_self_pay_fen,
           sum(case when not recent then policy_self_pay_fen end) as passed_policy_fen
    from (select *, day > cast(as_of() - interval 12 month as date) as recent from spent where day <= as_of())
    join newest using (household_key)
    group by household_key
)
select household_key as subject, 'means' as episode, as_of() as law_on, household_key, h.* exclude (household_key),
       coalesce(p.recent_self_pay_fen, 0)::bigint as recent_self_pay_fen,
       coalesce(p.policy_self_pay_fen, 0)::bigint as policy_self_pay_fen,
       coalesce(p.aided_policy_fen, 0)::bigint as aided_policy_fen, n.medical_aid_on,
       coalesce(p.passed_self_pay_fen, 0)::bigint as passed_self_pay_fen,
       coalesce(p.passed_policy_fen, 0)::bigint as passed_policy_fen,
       n.said.education_year_fen as education_year_fen,
       (coalesce(p.recent_self_pay_fen, 0) + coalesce(n.said.education_year_fen, 0))::bigint as expense_fen,
       n.said.income_month_fen as income_month_fen,
       n.said.income_month_fen * 12 * h.members_alive as household_income_fen,
       n.said.assets_ok as assets_ok, n.said.checked_on as checked_on,
       date_diff('day', n.said.checked_on, as_of()) as days_since_check,
       case when n.unauthorised_on >= coalesce(n.said.checked_on, n.unauthorised_on) then n.unauthorised_on end
           as unauthorised_on,
       n.checks_covered, n.applied_on, date_diff('day', n.applied_on, as_of()) as days_since_application
from household h join newest n using (household_key) left join paid p using (household_key)
