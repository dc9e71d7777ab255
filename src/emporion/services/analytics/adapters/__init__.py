"""The ports of the analytics service, implemented."""
