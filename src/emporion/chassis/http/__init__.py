"""The REST surface: routes, bodies and problem documents derived from the contracts."""
