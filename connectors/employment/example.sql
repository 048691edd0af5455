-- Example of the employment service's tables.

CREATE TABLE IF NOT EXISTS job_status (
    reg_no text PRIMARY KEY,
    name text,
    certno text,
    status text,
    since_date date,
    able boolean,
    refusals int,
    wage numeric(12, 2),
    help_date date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS job_status_updated ON job_status (updated_at, reg_no);

CREATE TABLE IF NOT EXISTS insured_relation (
    relation_no text PRIMARY KEY,
    name text,
    certno text,
    insurance_code text,
    unit_kind text,
    insured_at text,
    first_month char(6),
    last_month char(6),
    pay_status text,
    stop_reason text,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS insured_relation_updated ON insured_relation (updated_at, relation_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON job_status, insured_relation TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
