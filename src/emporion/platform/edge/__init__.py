"""The edge of a split shop: a real proxy, configured from the contracts."""
