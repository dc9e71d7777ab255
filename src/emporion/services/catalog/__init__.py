"""Catalog: products, their variants, and the one true price of each."""
