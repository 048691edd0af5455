"""The command: embedded stack, demo and command line; the composition root."""
