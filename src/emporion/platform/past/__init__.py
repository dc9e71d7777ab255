"""The past of an order: over order, payment and stock together."""
