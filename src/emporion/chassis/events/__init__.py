"""Integration events: outbox, delivery per subscriber, inbox, dead letters."""
