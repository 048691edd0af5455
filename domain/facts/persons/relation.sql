-- Relations of social insurance (employment.contribution). of_work: it goes with work; who pays as a resident pays once a
-- year, of whatever income, which says nothing of work, but says where they live. unpaid_from: the first month not paid.
select {envelope}, insurance, last_paid_on, cast(last_paid_on + interval 1 month as date) as unpaid_from,
       nullif(left(insured_division, 6), '') as insured_at, coalesce(stop_reason = 'retired', false) as retired,
       coalesce(insurance in ('employee_pension', 'public_pension', 'unemployment', 'injury'), false) as of_work
from {employment.contribution}
