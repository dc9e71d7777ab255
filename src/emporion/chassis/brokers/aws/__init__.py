"""Amazon SNS and SQS: a topic for each publisher, a queue for each of its subscribers."""

from emporion.chassis.brokers.aws.broker import AwsBroker
from emporion.chassis.brokers.aws.connection import AwsConfig

__all__ = ["AwsBroker", "AwsConfig"]
