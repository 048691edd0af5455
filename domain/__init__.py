"""The reasoning: persons, calendar, facts, rules, conditions, cases. No Kafka, HTTP, Redis, clock or log."""
