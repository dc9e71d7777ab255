"""Webhook: the shop's events, signed, to endpoints of merchants."""
