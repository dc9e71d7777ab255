"""Identities, tokens and what they may do."""
