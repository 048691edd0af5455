"""The groups of commands. A module here defines ``register(app)`` and is named in doudi/cli.py."""
