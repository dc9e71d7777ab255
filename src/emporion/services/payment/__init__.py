"""Charges and refunds through a provider, and the double-entry ledger behind them."""
