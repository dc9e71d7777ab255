"""Topics and queues, from what services announce and what they subscribe to.

Names and attributes are those that the broker's adapter would make, so that neither minds who did.
"""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from emporion.chassis.brokers.aws.connection import AwsConfig
from emporion.chassis.brokers.aws.names import dead_letters_of, queue_of, topic_of
from emporion.chassis.brokers.aws.queue import NAME
from emporion.chassis.events.broker.port import Link
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.pieces import imported, policy, stack, word

KEPT: Final = AwsConfig(region="")
"""The adapter's defaults: how long messages are kept and hidden."""


def bus_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """A topic for each publisher; a queue, with dead letters, for each link."""
    made = stack(app, deployment, "bus")
    prefix = deployment.options.name
    topics = {
        source: sns.CfnTopic(
            made,
            f"{word(source)}Topic",
            topic_name=topic_of(prefix, source),
            fifo_topic=True,
            fifo_throughput_scope="MessageGroup",
        )
        for source in deployment.publishers
    }
    for link in deployment.links:
        _queue(made, deployment, link, topics[link.source])
    return made


def _queue(made: cdk.Stack, deployment: Deployment, link: Link, topic: Any) -> None:
    name = queue_of(deployment.options.name, link.source, link.subscriber)
    words = f"{word(link.subscriber)}From{word(link.source)}"
    dead = _made_queue(made, f"{words}Dead", dead_letters_of(name))
    queue = _made_queue(
        made,
        f"{words}Queue",
        name,
        redrive_policy={
            "deadLetterTargetArn": dead.attr_arn,
            "maxReceiveCount": KEPT.receives_max,
        },
    )
    sqs.CfnQueuePolicy(
        made,
        f"{words}Policy",
        queues=[queue.ref],
        policy_document=policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue.attr_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic.ref}},
            }
        ),
    )
    sns.CfnSubscription(
        made,
        f"{words}Subscription",
        topic_arn=topic.ref,
        protocol="sqs",
        endpoint=queue.attr_arn,
        raw_message_delivery=True,
        filter_policy={NAME: sorted(link.names)},
    )
    _dead_letter_alarm(made, deployment, link, queue_name=dead.attr_queue_name)


def _made_queue(made: cdk.Stack, words: str, name: str, **more: Any) -> Any:
    return sqs.CfnQueue(
        made,
        words,
        queue_name=name,
        fifo_queue=True,
        deduplication_scope="messageGroup",
        fifo_throughput_limit="perMessageGroupId",
        message_retention_period=KEPT.retention_s,
        visibility_timeout=KEPT.visibility_s,
        sqs_managed_sse_enabled=True,
        **more,
    )


def _dead_letter_alarm(
    made: cdk.Stack, deployment: Deployment, link: Link, *, queue_name: str
) -> None:
    words = f"{word(link.subscriber)}From{word(link.source)}DeadAlarm"
    cloudwatch.CfnAlarm(
        made,
        words,
        alarm_name=f"{deployment.options.name}-{link.subscriber}-dead-letters-from-{link.source}",
        alarm_description=f"Events of {link.source} that {link.subscriber} cannot take. {RUNBOOK}",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="QueueName", value=queue_name)],
        statistic="Maximum",
        period=60,
        evaluation_periods=1,
        threshold=0,
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
        alarm_actions=[imported(deployment, "alarms")],
    )


RUNBOOK: Final = "docs/aws.md says what to do."
