"""The embedded store: the last hours of what one process tells, in a SQLite file of its own."""
