-- Example of a civil affairs bureau's tables: roster, households, benefits, checks of means, applications. Rows are deleted by a flag.

CREATE TABLE IF NOT EXISTS low_income_member (
    entry_id text PRIMARY KEY,
    id_number text,
    name text,
    tel text,
    address text,
    household_no text,
    tier_code text,
    status text,
    start_date date,
    end_date date,
    taper_until date,
    verify_date date,
    class_code text,
    exit_reason text,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS low_income_member_updated ON low_income_member (updated_at, entry_id);

CREATE TABLE IF NOT EXISTS household_member (
    member_id text PRIMARY KEY,
    household_no text,
    id_number text,
    name text,
    relation text,
    is_head boolean,
    joined_on date,
    left_on date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS household_member_updated ON household_member (updated_at, member_id);

CREATE TABLE IF NOT EXISTS benefit (
    benefit_id text PRIMARY KEY,
    id_number text,
    name text,
    benefit_code text,
    status text,
    granted_on date,
    start_on date,
    end_on date,
    amount numeric(16, 2),
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS benefit_updated ON benefit (updated_at, benefit_id);

CREATE TABLE IF NOT EXISTS means_check (
    check_id text PRIMARY KEY,
    id_number text,
    name text,
    finding text,
    checked_on date,
    auth_no text,
    income_month numeric(16, 2),
    assets_ok boolean,
    education_year numeric(16, 2),
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS means_check_updated ON means_check (updated_at, check_id);

CREATE TABLE IF NOT EXISTS aid_application (
    apply_no text PRIMARY KEY,
    id_number text,
    name text,
    household_no text,
    aid_code text,
    apply_date date,
    state text,
    decide_date date,
    refuse_reason text,
    by_proxy boolean,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS aid_application_updated ON aid_application (updated_at, apply_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON low_income_member, household_member, benefit, means_check, aid_application TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
