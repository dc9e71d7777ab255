"""A small shop to try things with: loaded at the first start in development."""
