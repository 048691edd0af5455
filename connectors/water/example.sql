-- Example of the water bureau's table: how safe families' drinking water is.

CREATE TABLE IF NOT EXISTS water_supply (
    supply_no text PRIMARY KEY,
    name text,
    certno text,
    grade text,
    assess_date date,
    repair_date date,
    division char(12),
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS water_supply_updated ON water_supply (updated_at, supply_no);

DO $$ BEGIN
    CREATE ROLE doudi_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO doudi_reader;
GRANT SELECT ON water_supply TO doudi_reader;
-- The connector's account: CREATE ROLE connector LOGIN PASSWORD '…' IN ROLE doudi_reader;
