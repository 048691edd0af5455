-- Checks of means with an authorisation on file (civil.check). One without is not looked at.
select {envelope}, finding, checked_on, income_month_fen, assets_ok, education_year_fen
from {civil.check} where coalesce(authorisation, '') <> ''
