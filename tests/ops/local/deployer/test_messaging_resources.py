"""Queues, topics, buses, rules, keys: created by a Pulumi program, described by boto3."""

from __future__ import annotations

import json
import re

import pytest

from tests.emulator import Account
from tests.ops.local.deployer.deploying import Run, run_program

PROGRAM = """
key = aws.kms.Key("orders", description="of the orders", enable_key_rotation=True, deletion_window_in_days=7)
aws.kms.KeyPolicy("orders", key_id=key.id, policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "ours", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]}))
alias = aws.kms.Alias("orders", target_key_id=key.id)

dlq = aws.sqs.Queue("orders-dlq", fifo_queue=True, message_retention_seconds=1209600, sqs_managed_sse_enabled=True)
queue = aws.sqs.Queue(
    "orders",
    fifo_queue=True,
    visibility_timeout_seconds=45,
    receive_wait_time_seconds=20,
    delay_seconds=3,
    max_message_size=2048,
    content_based_deduplication=True,
    deduplication_scope="messageGroup",
    fifo_throughput_limit="perMessageGroupId",
)
plain = aws.sqs.Queue("plain", kms_master_key_id=key.id, kms_data_key_reuse_period_seconds=600)
named = aws.sqs.Queue("named", name="a-name-of-its-own")
aws.sqs.RedrivePolicy("orders", queue_url=queue.url, redrive_policy=pulumi.Output.json_dumps(
    {"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 5}))
aws.sqs.RedriveAllowPolicy("orders", queue_url=dlq.url, redrive_allow_policy=pulumi.Output.json_dumps(
    {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}))

bus = aws.cloudwatch.EventBus("orders", description="all orders")
aws.cloudwatch.EventBusPolicy("orders", event_bus_name=bus.name, policy=pulumi.Output.json_dumps(
    {"Version": "2012-10-17", "Statement": [{"Sid": "put", "Effect": "Allow", "Principal": {"AWS": "111122223333"},
     "Action": "events:PutEvents", "Resource": bus.arn}]}))
rule = aws.cloudwatch.EventRule("orders", event_bus_name=bus.name, description="created",
    event_pattern=json.dumps({"source": ["pizza.service.com"]}))
aws.sqs.QueuePolicy("orders", queue_url=queue.url, policy=pulumi.Output.json_dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
     "Action": "sqs:SendMessage", "Resource": queue.arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule.arn}}}]}))
target = aws.cloudwatch.EventTarget(
    "orders",
    rule=rule.name,
    event_bus_name=bus.name,
    arn=queue.arn,
    sqs_target={"message_group_id": "all"},
    retry_policy={"maximum_retry_attempts": 7, "maximum_event_age_in_seconds": 600},
    dead_letter_config={"arn": dlq.arn},
    input_transformer={"input_paths": {"who_ever": "$.detail.data.name"}, "input_template": '{"n": <who_ever>}'},
)
archive = aws.cloudwatch.EventArchive("orders", event_source_arn=bus.arn, retention_days=3,
    event_pattern=json.dumps({"source": ["pizza.service.com"]}))

topic = aws.sns.Topic("orders", fifo_topic=True, content_based_deduplication=True, display_name="Orders")
aws.sns.TopicPolicy("orders", arn=topic.arn, policy=pulumi.Output.json_dumps(
    {"Version": "2012-10-17", "Statement": [{"Sid": "publish", "Effect": "Allow", "Principal": "*",
     "Action": "sns:Publish", "Resource": topic.arn}]}))
subscription = aws.sns.TopicSubscription("orders", topic=topic.arn, protocol="sqs", endpoint=queue.arn,
    raw_message_delivery=True, filter_policy=json.dumps({"city": ["Melbourne"]}))
parameter = aws.ssm.Parameter("menu", type="String", value="margherita", name="/eda/local/menu", description="served")

for name, value in {
    "queue": queue.url, "queue_name": queue.name, "queue_arn": queue.arn, "dlq": dlq.url, "dlq_arn": dlq.arn,
    "plain": plain.url, "named": named.name, "bus": bus.name, "bus_arn": bus.arn, "rule": rule.name,
    "rule_arn": rule.arn, "target_id": target.target_id, "topic": topic.arn, "topic_name": topic.name,
    "subscription": subscription.arn, "key": key.key_id, "key_arn": key.arn, "alias": alias.name,
    "archive": archive.name,
    "parameter_arn": parameter.arn, "parameter": parameter.name,
}.items():
    pulumi.export(name, value)
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, emulator: str) -> tuple[Account, Run]:
    account = Account(emulator)
    run = run_program(account, tmp_path_factory.mktemp("messaging"), PROGRAM)
    assert not run.error
    return account, run


def _queue(account: Account, url: str) -> dict[str, str]:
    attributes: dict[str, str] = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return attributes


def test_a_queue_gets_every_attribute(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    attributes = _queue(account, run.outputs["queue"])
    expected = {
        "FifoQueue": "true",
        "VisibilityTimeout": "45",
        "ReceiveMessageWaitTimeSeconds": "20",
        "DelaySeconds": "3",
        "MaximumMessageSize": "2048",
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "QueueArn": run.outputs["queue_arn"],
    }
    assert {name: attributes.get(name) for name in expected} == expected
    assert _queue(account, run.outputs["dlq"])["MessageRetentionPeriod"] == "1209600"
    assert _queue(account, run.outputs["plain"])["KmsMasterKeyId"] == run.outputs["key"]
    assert _queue(account, run.outputs["plain"])["KmsDataKeyReusePeriodSeconds"] == "600"
    assert "FifoQueue" not in _queue(account, run.outputs["plain"])


def test_the_policies_of_a_queue_are_set(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    attributes = _queue(account, run.outputs["queue"])
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive == {"deadLetterTargetArn": run.outputs["dlq_arn"], "maxReceiveCount": 5}
    statement = json.loads(attributes["Policy"])["Statement"][0]
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == run.outputs["rule_arn"]
    allow = json.loads(_queue(account, run.outputs["dlq"])["RedriveAllowPolicy"])
    assert allow == {"redrivePermission": "byQueue", "sourceQueueArns": [run.outputs["queue_arn"]]}


def test_names_are_made_as_the_provider_makes_them(deployed: tuple[Account, Run]) -> None:
    _, run = deployed
    assert re.fullmatch(r"orders-[0-9a-f]{7}\.fifo", run.outputs["queue_name"])
    assert re.fullmatch(r"orders-[0-9a-f]{7}\.fifo", run.outputs["topic_name"])
    assert re.fullmatch(r"orders-[0-9a-f]{7}", run.outputs["rule"])
    assert re.fullmatch(r"alias/orders-[0-9a-f]{7}", run.outputs["alias"])
    assert run.outputs["named"] == "a-name-of-its-own"


def test_a_target_keeps_its_nested_settings(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    events = account.client("events")
    rule, bus = run.outputs["rule"], run.outputs["bus"]
    described = events.describe_rule(Name=rule, EventBusName=bus)
    assert json.loads(described["EventPattern"]) == {"source": ["pizza.service.com"]}
    assert described["State"] == "ENABLED"
    assert events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"] == [
        {
            "Id": run.outputs["target_id"],
            "Arn": run.outputs["queue_arn"],
            "SqsParameters": {"MessageGroupId": "all"},
            "RetryPolicy": {"MaximumRetryAttempts": 7, "MaximumEventAgeInSeconds": 600},
            "DeadLetterConfig": {"Arn": run.outputs["dlq_arn"]},
            "InputTransformer": {
                "InputPathsMap": {"who_ever": "$.detail.data.name"},
                "InputTemplate": '{"n": <who_ever>}',
            },
        }
    ]


def test_a_bus_its_policy_and_its_archive_exist(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    events = account.client("events")
    bus = events.describe_event_bus(Name=run.outputs["bus"])
    assert bus["Arn"] == run.outputs["bus_arn"]
    # The embedded AWS (1.5.33) keeps its own statement for PutPermission(Policy=...), so only the call is seen here.
    assert len(json.loads(bus["Policy"])["Statement"]) == 1
    archive = events.describe_archive(ArchiveName=run.outputs["archive"])
    assert (archive["EventSourceArn"], archive["RetentionDays"]) == (run.outputs["bus_arn"], 3)


def test_a_topic_its_policy_and_its_subscription_exist(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    sns = account.client("sns")
    topic = sns.get_topic_attributes(TopicArn=run.outputs["topic"])["Attributes"]
    assert (topic["FifoTopic"], topic["ContentBasedDeduplication"], topic["DisplayName"]) == ("true", "true", "Orders")
    assert json.loads(topic["Policy"])["Statement"][0]["Sid"] == "publish"
    attributes = sns.get_subscription_attributes(SubscriptionArn=run.outputs["subscription"])["Attributes"]
    assert attributes["Endpoint"] == run.outputs["queue_arn"]
    assert attributes["RawMessageDelivery"] == "true"
    assert json.loads(attributes["FilterPolicy"]) == {"city": ["Melbourne"]}


def test_a_key_rotates_and_has_its_alias_and_policy(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    kms = account.client("kms")
    assert kms.get_key_rotation_status(KeyId=run.outputs["key"])["KeyRotationEnabled"] is True
    assert kms.describe_key(KeyId=run.outputs["alias"])["KeyMetadata"]["Arn"] == run.outputs["key_arn"]
    policy = json.loads(kms.get_key_policy(KeyId=run.outputs["key"], PolicyName="default")["Policy"])
    assert policy["Statement"][0]["Sid"] == "ours"


def test_a_parameter_exists(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    parameter = account.client("ssm").get_parameter(Name="/eda/local/menu")["Parameter"]
    assert (parameter["Value"], parameter["ARN"]) == ("margherita", run.outputs["parameter_arn"])


def test_every_resource_is_counted(deployed: tuple[Account, Run]) -> None:
    _, run = deployed
    assert run.resources["aws:sqs/queue:Queue"] == 4
    assert sum(run.resources.values()) == 19
