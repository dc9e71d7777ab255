"""The schema of order data, one folder an engine."""
