"""Where the instances of a service are: one port, and an adapter for each way to know it."""
