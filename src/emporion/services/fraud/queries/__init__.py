"""What can be asked of fraud."""
