"""The outside: one folder per department with a pure mapping, and the sources they share."""
