-- Example of the table of the bureau of agriculture and rural affairs: industry support.

CREATE TABLE IF NOT EXISTS industry_support (
    reg_no text PRIMARY KEY,
    name text,
    certno text,
    willing boolean,
    ask_date date,
    kind text,
    start_date date,
    end_date date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS industry_support_updated ON industry_support (updated_at, reg_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON industry_support TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
