"""The services: each owns a business capability and its data; none imports another."""
