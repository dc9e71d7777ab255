"""What services stand on: calls, data, events, sagas, telemetry. Knows no service."""
