"""The ports of the recommendation service, implemented."""
