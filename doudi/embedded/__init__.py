"""The embedded stack: real Kafka, registry, Valkey and PostgreSQL as supervised processes, without Docker
or Java."""
