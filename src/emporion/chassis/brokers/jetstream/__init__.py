"""NATS JetStream: a stream for each publisher, a durable pull consumer for each subscriber."""
