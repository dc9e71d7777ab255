"""The ports of the shipping service, implemented."""
