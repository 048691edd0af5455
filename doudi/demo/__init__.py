"""A synthetic county in the departments' own databases, and the independent check of what the hub makes of it."""
