"""Streams of domain events: expected versions, a hash chain, upcasters."""
