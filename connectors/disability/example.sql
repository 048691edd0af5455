-- Example of a disabled persons' federation's table. The certificate number contains the ID number.

CREATE TABLE IF NOT EXISTS disabled_card (
    card_no text PRIMARY KEY,
    name text,
    certno text,
    category int,
    grade int,
    status text,
    first_issue_date date,
    issue_date date,
    assess_date date,
    valid_until date,
    guardian_name text,
    guardian_certno text,
    tel text,
    division char(12),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS disabled_card_updated ON disabled_card (updated_at, card_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON disabled_card TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
