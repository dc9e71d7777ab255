"""Traces, metrics and logs, light enough for the order path."""
