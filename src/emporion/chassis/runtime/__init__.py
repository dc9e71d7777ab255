"""Clock, ids, randomness, tasks and lifecycle as ports, and how a service is assembled."""
