"""The ports of the vault, implemented."""
