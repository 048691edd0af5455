-- Bills of 医保 (medical.settlement). Reversals are bills with negative amounts and net out.
-- A bill without vali_flag counts; the year is the local year of its settlement.
select {envelope},
       -- 医疗类别 21 to 24: 住院, whatever led to it.
       coalesce(starts_with(med_type, '2'), false) as inpatient,
       coalesce(vali_flag, '1') = '1' as valid,
       local_day(coalesce(setl_time, occurred_at)) as day,
       coalesce(psn_part_amt_fen, 0) as self_pay_fen,
       -- Within the policy (政策范围内): without 全自费, 超限价 and 先行自付, as far as the bill itemises them.
       coalesce(psn_part_amt_fen, 0) - coalesce(fulamt_ownpay_amt_fen, 0) - coalesce(overlmt_selfpay_fen, 0)
           - coalesce(preselfpay_amt_fen, 0) as policy_self_pay_fen
from {medical.settlement}
