-- Persons who name the subject as their guardian (hub.relation, forwarded from their own partitions).
select person_key, other_key, severe_disability
from {hub.relation} where relation = 'guardian'
