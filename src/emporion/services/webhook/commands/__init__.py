"""What webhook does: keep subscriptions, collect what they want, send it."""
