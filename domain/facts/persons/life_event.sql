-- Events of the civil register (vital.life_event).
select {envelope}, event, event_on, source_kind
from {vital.life_event}
