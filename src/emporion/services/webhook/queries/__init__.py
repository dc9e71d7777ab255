"""What can be asked of webhook."""
