"""What the embedded store keeps: spans of a trace together, log lines, samples of metrics."""
