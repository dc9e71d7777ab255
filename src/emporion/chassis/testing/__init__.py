"""What tests of services and adapters stand on: manual time, conformance suites."""
