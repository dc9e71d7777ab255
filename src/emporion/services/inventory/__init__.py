"""Inventory: warehouses, stock levels, movements, and holds on stock for orders."""
