-- Guardians whom the subject's records name, with their tier (hub.relation, forwarded from their own partitions).
select person_key, other_key, tier
from {hub.relation} where relation = 'ward'
