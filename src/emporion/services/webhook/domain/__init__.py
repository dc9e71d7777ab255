"""The rules of webhooks: when to try again, how to sign, where to send."""
