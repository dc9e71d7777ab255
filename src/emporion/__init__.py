"""Emporion: a commerce back end that starts as one process and grows into twenty services."""

__version__ = "0.1.0"
