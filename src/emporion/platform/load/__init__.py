"""Many shoppers at once against a running shop: the load generator and its report."""
