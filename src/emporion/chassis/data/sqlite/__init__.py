"""The database port on SQLite: one file and one writer a service, group commit, WAL, FULL."""
