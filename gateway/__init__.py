"""FastAPI over the views in Redis; accepts commands, never decides."""
