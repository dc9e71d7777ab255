"""The gift card service."""
