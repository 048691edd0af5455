-- Appraisals of drinking water (water.supply).
select {envelope}, grade, assessed_on, repaired_on
from {water.supply}
