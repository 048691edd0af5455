-- Relations of social insurance that go with work (employment.contribution). Who pays as a resident pays once a year, of
-- whatever income: that says nothing of work. unpaid_from: the first month not paid.
select {envelope}, insurance, last_paid_on, cast(last_paid_on + interval 1 month as date) as unpaid_from,
       nullif(left(insured_division, 6), '') as insured_at, coalesce(stop_reason = 'retired', false) as retired
from {employment.contribution}
where insurance in ('employee_pension', 'public_pension', 'unemployment', 'injury')
