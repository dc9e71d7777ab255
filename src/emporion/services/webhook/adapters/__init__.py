"""Webhook's ports, implemented."""
