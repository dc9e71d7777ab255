"""Which services run together, how often, on which engines and behind which bus: as data."""
