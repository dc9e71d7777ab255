"""The database port on PostgreSQL: many writers, group commit, wake-ups over LISTEN and NOTIFY."""
