-- Bills of 医保 (medical.settlement). Reversals are bills with negative amounts and net out.
-- A bill without vali_flag counts; the year is the local year of its settlement.
select {envelope},
       -- 医疗类别 21 to 24: 住院, whatever led to it.
       coalesce(starts_with(med_type, '2'), false) as inpatient,
       coalesce(vali_flag, '1') = '1' as valid,
       local_day(coalesce(setl_time, occurred_at)) as day,
       coalesce(psn_part_amt_fen, 0) as self_pay_fen
from {medical.settlement}
