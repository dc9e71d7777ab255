"""Payment's ports, each on a technology."""
