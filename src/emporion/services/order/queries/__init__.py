"""What can be asked about orders, carts and returns."""
