"""Shipping: fulfilments of paid orders, shipments from the warehouses, and their tracking."""
