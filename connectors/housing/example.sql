-- Example of the housing bureau's table.

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

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON house_appraisal TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
