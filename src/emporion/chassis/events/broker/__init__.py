"""The bus over a broker: a relay out of each outbox, and pumps on what the broker keeps."""
