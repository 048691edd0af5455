-- One row a household: who of it could work and who does.
select h.household_key as subject, 'work' as episode, as_of() as law_on, h.*
from household h
