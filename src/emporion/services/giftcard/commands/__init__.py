"""What can be done with gift cards."""
