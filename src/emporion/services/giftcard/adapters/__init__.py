"""The ports of the gift card service, implemented."""
