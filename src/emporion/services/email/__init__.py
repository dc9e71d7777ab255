"""Order confirmations to people, as an independent subscriber."""
