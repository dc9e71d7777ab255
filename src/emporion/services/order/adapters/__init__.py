"""Order data in SQLite."""
