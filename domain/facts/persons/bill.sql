-- Bills of 医保 (medical.settlement). Reversals are bills with negative amounts and net out.
-- A bill without vali_flag counts; the year is the local year of its settlement.
select {envelope},
       coalesce(vali_flag, '1') = '1' as valid,
       local_day(coalesce(setl_time, occurred_at)) as day,
       coalesce(psn_part_amt_fen, 0) as self_pay_fen
from {medical.settlement}
