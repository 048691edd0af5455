"""Ways to read a department: SQL tables, dropped files."""
