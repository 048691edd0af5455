"""What agents, gateway and connectors share towards the outside: settings, Kafka, registry, Redis keys."""
