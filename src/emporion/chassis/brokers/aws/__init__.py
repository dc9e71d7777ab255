"""Amazon SNS and SQS: a topic for each publisher, a queue for each of its subscribers."""
