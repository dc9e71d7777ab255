"""Starts, watches and stops the operating-system processes of a shop on one machine."""
