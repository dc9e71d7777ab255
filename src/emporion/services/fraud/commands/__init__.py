"""What fraud does: screen orders, decide reviews."""
