"""The only place that sees concrete things: engines, processes, the command line."""
