"""The rules of the catalog: what a product is, and how a file becomes products."""
