"""Calls between services: one chain around every call, wherever the callee runs."""
