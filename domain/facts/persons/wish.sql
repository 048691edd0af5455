-- Who wants industry support, and which runs (agriculture.support). An answer without its day is none.
select {envelope}, case when asked_on is not null then willing end as willing, asked_on,
       coalesce(kind <> 'none' and start_on <= as_of() and (end_on is null or end_on > as_of()), false) as supported
from {agriculture.support}
