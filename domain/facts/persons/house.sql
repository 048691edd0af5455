-- Safety appraisals of houses (housing.appraisal).
select {envelope}, grade, appraised_on, built_year, coalesce(repaired_on >= appraised_on, false) as repaired
from {housing.appraisal}
