"""A synthetic county in the departments' databases, and an independent check of what the hub makes of it."""
