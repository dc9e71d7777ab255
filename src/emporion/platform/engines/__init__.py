"""Real servers for the shop on one machine: PostgreSQL, MongoDB's protocol, NATS."""
