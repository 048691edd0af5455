-- Example of a medical insurance bureau's tables, in the field names of the national interface.
-- The indexes on (updt_time, key) carry the connector; the role may read and nothing else.

CREATE TABLE IF NOT EXISTS setl_d (
    setl_id text PRIMARY KEY,
    psn_no text,
    psn_name text,
    certno text,
    tel text,
    setl_time timestamptz,
    begndate date,
    enddate date,
    insutype text,
    med_type text,
    insu_admdvs text,
    fixmedins_code text,
    medfee_sumamt numeric(16, 2),
    fulamt_ownpay_amt numeric(16, 2),
    overlmt_selfpay numeric(16, 2),
    preselfpay_amt numeric(16, 2),
    inscp_scp_amt numeric(16, 2),
    act_pay_dedc numeric(16, 2),
    hifp_pay numeric(16, 2),
    hifmi_pay numeric(16, 2),
    hifob_pay numeric(16, 2),
    maf_pay numeric(16, 2),
    cvlserv_pay numeric(16, 2),
    oth_pay numeric(16, 2),
    fund_pay_sumamt numeric(16, 2),
    psn_part_amt numeric(16, 2),
    acct_pay numeric(16, 2),
    psn_cash_pay numeric(16, 2),
    refd_setl_flag char(1),
    vali_flag char(1),
    dise_codg text,
    resd_division char(12),
    updt_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS setl_d_updt ON setl_d (updt_time, setl_id);

CREATE TABLE IF NOT EXISTS psn_insu_d (
    psn_no text PRIMARY KEY,
    psn_name text,
    certno text,
    tel text,
    insutype text,
    insu_admdvs text,
    psn_insu_stas text,
    begndate date,
    enddate date,
    psn_idet_type text,
    idet_begndate date,
    idet_enddate date,
    prem_subs_amt numeric(16, 2),
    resd_division char(12),
    updt_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS psn_insu_d_updt ON psn_insu_d (updt_time, psn_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON setl_d, psn_insu_d TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
