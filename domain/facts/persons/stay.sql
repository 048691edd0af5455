-- One row an in-patient bill with a self-pay. A refund of the same amount takes it back: the interface links no two bills.
select person_key as subject, b.record_id as episode, as_of() as law_on, p.* exclude (person_key),
       b.day as stay_on, b.self_pay_fen as stay_fen, date_diff('day', b.day, as_of()) as days_since,
       exists (select 1 from bill r where r.person_key = b.person_key and r.valid
               and r.self_pay_fen = -b.self_pay_fen and r.day >= b.day) as refunded,
       case when greatest(p.medical_aid_on, p.temporary_aid_on) >= b.day then true
            when covered('civil.benefit', p.division) then false end as aided_since
from bill b join person p using (person_key)
where b.valid and b.inpatient and b.self_pay_fen > 0
