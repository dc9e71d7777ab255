"""The published language: one module a service, with its messages, events and interface."""
