"""What can be asked of the catalog: products, and what a basket costs."""
