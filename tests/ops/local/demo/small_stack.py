"""A queue worker made of nothing but AWS resources, with the manifest that the real program would publish."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import ROOT
from tests.ops.local.project import Project

__all__ = ["PROGRAM", "create_project"]

PROGRAM = """
import json
import pulumi
import pulumi_aws as aws
from contracts.manifest import (
    BusRef, DeadLetterQueueRef, Holds, PatternManifest, QueueRef, RuleRef, ScalingRef, ServiceRef, parameter_name,
)

bus = aws.cloudwatch.EventBus("shop")
dlq = aws.sqs.Queue("orders-dlq")
queue = aws.sqs.Queue("orders", visibility_timeout_seconds=30, redrive_policy=pulumi.Output.json_dumps(
    {"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 3}))
rule = aws.cloudwatch.EventRule("orders", event_bus_name=bus.name, event_pattern=json.dumps(
    {"source": ["pizza.service.com"], "detail-type": ["OrderCreated"], "detail": {"data": {"region": REGIONS}}}))
aws.sqs.QueuePolicy("orders", queue_url=queue.url, policy=pulumi.Output.json_dumps({"Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
                   "Resource": queue.arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule.arn}}}]}))
aws.cloudwatch.EventTarget("orders", rule=rule.name, event_bus_name=bus.name, arn=queue.arn)
table = aws.dynamodb.Table("orders", billing_mode="PAY_PER_REQUEST", hash_key="id",
    attributes=[{"name": "id", "type": "S"}], ttl={"attribute_name": "expiration", "enabled": True})
cluster = aws.ecs.Cluster("main")
environment = {"EDA_PATTERN": "orders", "EDA_STACK": "local", "HANDLER": "worker.handlers.pizza:handle",
    "QUEUE_URL": queue.url, "DEAD_LETTER_QUEUE_URL": dlq.url, "MAX_RECEIVE_COUNT": "3",
    "VISIBILITY_TIMEOUT_SECONDS": "30", "IDEMPOTENCY_TABLE": table.name, "CONCURRENCY": "4"}
task = aws.ecs.TaskDefinition("orders", family="orders", cpu="256", memory="512", network_mode="awsvpc",
    requires_compatibilities=["FARGATE"], container_definitions=pulumi.Output.json_dumps([{"name": "worker",
        "image": "eda-worker:local", "essential": True, "stopTimeout": 5,
        "environment": [{"name": name, "value": value} for name, value in environment.items()]}]))
service = aws.ecs.Service("orders", cluster=cluster.arn, task_definition=task.arn, desired_count=1,
    launch_type="FARGATE", network_configuration={"subnets": ["subnet-1"]})


def manifest(values):
    bus_name, bus_arn, queue_name, queue_url, queue_arn, dlq_name, dlq_url, dlq_arn, table_name, cluster, service, rule_name = values
    return PatternManifest(
        name="orders", pattern="queue-worker", stack="local", region="eu-west-1",
        bus=BusRef(name=bus_name, arn=bus_arn),
        rules=(RuleRef(name=rule_name, bus=bus_name),),
        queue=QueueRef(name=queue_name, url=queue_url, arn=queue_arn),
        dead_letter_queues=(DeadLetterQueueRef(name=dlq_name, url=dlq_url, arn=dlq_arn, holds=Holds.MESSAGES,
                                               origin_arn=queue_arn),),
        service=ServiceRef(cluster=cluster, name=service, log_group=""),
        scaling=ScalingRef(policy="queue-depth", min=1, max=1), idempotency_table=table_name).to_json()


aws.ssm.Parameter("orders", name=parameter_name("local", "orders"), type="String", value=pulumi.Output.all(
    bus.name, bus.arn, queue.name, queue.url, queue.arn, dlq.name, dlq.url, dlq.arn, table.name, cluster.name,
    service.name, rule.name).apply(manifest))
"""


def create_project(root: Path, port: int, *, regions: tuple[str, ...] = ("AU", "NZ")) -> Project:
    """A checkout whose worker is this repository's own."""
    project = Project.create(root, port, PROGRAM.replace("REGIONS", repr(list(regions))))
    for folder in ("worker", "aws_transport", "contracts", "event_schemas"):
        (root / folder).symlink_to(ROOT / folder)
    return project
