"""What is told to others: OpenTelemetry collectors, and CloudWatch through the process's output."""
