"""What can be done with accounts and sessions: load, decide, save."""
