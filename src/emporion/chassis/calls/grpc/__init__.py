"""Calls between processes over gRPC."""
