-- Example of the housing bureau's tables: safety appraisals, and how families are housed.

CREATE TABLE IF NOT EXISTS house_appraisal (
    appraisal_no text PRIMARY KEY,
    name text,
    certno text,
    grade char(1),
    appraise_date date,
    built_year int,
    repair_date date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS house_appraisal_updated ON house_appraisal (updated_at, appraisal_no);

CREATE TABLE IF NOT EXISTS tenancy (
    reg_no text PRIMARY KEY,
    name text,
    certno text,
    tenure text,
    area_per_head numeric(8, 2),
    survey_date date,
    support text,
    support_from date,
    support_until date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS tenancy_updated ON tenancy (updated_at, reg_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON house_appraisal, tenancy TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
