"""Civil register: deaths, from police, health and funeral services 公安、卫健、殡葬."""
