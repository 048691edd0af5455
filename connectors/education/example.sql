-- Example of the education bureau's table.

CREATE TABLE IF NOT EXISTS student (
    student_no text PRIMARY KEY,
    name text,
    certno text,
    guardian_name text,
    guardian_certno text,
    stage text,
    status text,
    enrol_date date,
    end_date date,
    absent_days int,
    student_aid boolean,
    yulu boolean,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS student_updated ON student (updated_at, student_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON student TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
