"""Fraud's ports, implemented."""
