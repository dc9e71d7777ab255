"""Storefront and console: pages over the public contracts, without JavaScript where it matters."""
