"""The operator's console: pages about a running shop, in sections."""
