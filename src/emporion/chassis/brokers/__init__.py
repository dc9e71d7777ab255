"""Adapters of brokers: NATS JetStream, and Amazon SNS with SQS."""
