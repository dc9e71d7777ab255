"""A running shop as seen from outside: a lean HTTP/1.1 connection and clients of its contracts."""
