"""Numbered, forward-only SQL of the chassis own tables, one folder an engine."""
