"""What the user service's ports are made of: SQLite, argon2, the IANA time zones."""
