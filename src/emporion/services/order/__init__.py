"""Order: cart, checkout and the life of an order; event-sourced."""
