"""Storefront and console: pages over the public contracts."""
