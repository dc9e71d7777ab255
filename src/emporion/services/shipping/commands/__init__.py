"""What can be done with fulfilments and shipments."""
