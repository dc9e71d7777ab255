"""Transactions over several services: steps with undo, stored progress, recovery."""
