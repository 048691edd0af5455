-- Checks of means (civil.check). Of one without an authorisation on file only the day is looked at: nothing was checked.
select {envelope}, finding, checked_on, income_month_fen, assets_ok, education_year_fen,
       coalesce(authorisation, '') <> '' as authorised
from {civil.check}
