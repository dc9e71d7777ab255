"""Email's ports, each on a technology."""
