"""What can be done with the catalog: products, and what is taken off or comes on top."""
