"""Seals what we know of people, each with a key of their own, so that they can be forgotten."""
