from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network, NetworkArgs
from components.observability.alarm_topic import AlarmTopic, AlarmTopicArgs
from components.observability.alarms import Runbook
from components.observability.queue_worker_alarms import QueueWorkerAlarms, QueueWorkerAlarmsArgs
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.queue import Queue
from tests.emulator import ROOT
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms-0a1b2c3"


def alarmed(*, with_service: bool = False, preview: bool = False, **options: Any) -> Recorder:
    def program() -> None:
        queue = Queue("orders")
        rule = Rule(
            "orders",
            RuleArgs(bus=EventBus("events"), event_pattern={"source": ["a"]}, targets=[SqsTarget(queue=queue)]),
        )
        service = None
        if with_service:
            container = ContainerArgs(image="public.ecr.aws/docker/library/python:3.13-slim")
            service = Service(
                "orders",
                ServiceArgs(
                    cluster=Cluster("cluster"),
                    task_definition=TaskDefinition("orders", TaskDefinitionArgs(container=container)),
                    network=Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1"])),
                ),
            )
        alarms = QueueWorkerAlarms(
            "orders-alarms",
            QueueWorkerAlarmsArgs(
                **{"pattern": "orders", "queue": queue, "rule": rule, "oldest_message_seconds": 300, **options},
                service=service,
            ),
        )
        pulumi.Output.all(*alarms.alarm_names).apply(names.extend)

    names: list[str] = []
    recorder = record(program, preview=preview)
    if not preview:
        assert sorted(names) == [f"{name}-0a1b2c3" for name in recorder.names("MetricAlarm")]
    return recorder


def alarm(recorder: Recorder, name: str) -> dict[str, Any]:
    return dict(recorder.one("MetricAlarm", f"orders-alarms-{name}").inputs)


def test_every_way_to_stop_has_an_alarm():
    assert alarmed(with_service=True).names("MetricAlarm") == [
        "orders-alarms-dead-letters",
        "orders-alarms-failed-invocations",
        "orders-alarms-no-running-task",
        "orders-alarms-oldest-message",
        "orders-alarms-undelivered",
    ]


def test_without_a_service_nobody_watches_its_tasks():
    assert "orders-alarms-no-running-task" not in alarmed().names("MetricAlarm")


@pytest.mark.parametrize(
    ("name", "queue", "meaning"),
    [
        (
            "dead-letters",
            "orders-dlq-0a1b2c3",
            "Messages of orders could not be processed and are in its dead-letter queue; they stay for 14 days.",
        ),
        (
            "undelivered",
            "orders-undelivered-0a1b2c3",
            "EventBridge could not deliver events of orders to its queue; they stay for 14 days.",
        ),
    ],
)
def test_the_first_dead_letter_raises_an_alarm_that_stays(name: str, queue: str, meaning: str):
    assert alarm(alarmed(), name) == {
        "alarmDescription": f"{meaning} First: ops --stack test peek-dlq orders. "
        "Runbook: docs/runbooks/dead-letter-queue.md",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "dimensions": {"QueueName": queue},
        "evaluationPeriods": 1,
        "metricName": "ApproximateNumberOfMessagesVisible",
        "namespace": "AWS/SQS",
        "period": 60,
        "statistic": "Maximum",
        "threshold": 1,
        "treatMissingData": "ignore",
    }


def test_a_late_message_raises_an_alarm():
    assert alarm(alarmed(oldest_message_seconds=1_800), "oldest-message") == {
        "alarmDescription": "A message of orders has waited for 1,800 seconds or more. First: ops --stack test status "
        "orders. Runbook: docs/runbooks/oldest-message.md",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "dimensions": {"QueueName": "orders-0a1b2c3"},
        "evaluationPeriods": 1,
        "metricName": "ApproximateAgeOfOldestMessage",
        "namespace": "AWS/SQS",
        "period": 60,
        "statistic": "Maximum",
        "threshold": 1_800,
        "treatMissingData": "ignore",
    }


def test_a_rule_that_cannot_invoke_its_target_raises_an_alarm():
    assert alarm(alarmed(), "failed-invocations") == {
        "alarmDescription": "The rule of orders could not invoke its target. First: ops --stack test status orders. "
        "Runbook: docs/runbooks/run-task-failures.md",
        "comparisonOperator": "GreaterThanThreshold",
        "dimensions": {"EventBusName": "events-0a1b2c3", "RuleName": "orders-0a1b2c3"},
        "evaluationPeriods": 1,
        "metricName": "FailedInvocations",
        "namespace": "AWS/Events",
        "period": 60,
        "statistic": "Sum",
        "threshold": 0,
        "treatMissingData": "notBreaching",
    }


def test_messages_without_a_worker_raise_an_alarm():
    inputs = alarm(alarmed(with_service=True, no_task_minutes=15), "no-running-task")
    result, visible, running = inputs.pop("metricQueries")
    assert result["expression"] == "IF((visible > 0) AND (FILL(running, 0) < 1), 1, 0)"
    assert visible["metric"]["dimensions"] == {"QueueName": "orders-0a1b2c3"}
    assert running["metric"]["dimensions"] == {"ClusterName": "cluster-0a1b2c3", "ServiceName": "orders-0a1b2c3"}
    assert inputs == {
        "alarmDescription": "Messages of orders wait, and for 15 minutes no task has run. First: ops --stack test scale "
        "orders. Runbook: docs/runbooks/run-task-failures.md",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "evaluationPeriods": 15,
        "threshold": 1,
        "treatMissingData": "notBreaching",
    }


def test_the_topic_hears_of_every_alarm_and_of_its_end():
    alarms = alarmed(with_service=True, topic_arn=TOPIC_ARN).of_type("MetricAlarm")
    assert len(alarms) == 5
    for item in alarms:
        assert item.inputs["alarmActions"] == [TOPIC_ARN]
        assert item.inputs["okActions"] == [TOPIC_ARN]


def test_every_runbook_exists_and_is_listed():
    index = (ROOT / "docs/runbooks/alarms.md").read_text()
    for runbook in Runbook:
        path = ROOT / runbook
        assert path.is_file()
        assert f"({path.name})" in index


def test_every_alarm_is_in_the_index_of_the_runbooks():
    index = (ROOT / "docs/runbooks/alarms.md").read_text()
    for name in alarmed(with_service=True).names("MetricAlarm"):
        assert f"`<pattern>-{name.removeprefix('orders-')}`" in index


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"oldest_message_seconds": 59},
            "oldest_message_seconds is 59; allowed is a whole number from 60 to 1,209,600 seconds",
        ),
        ({"no_task_minutes": 4}, "no_task_minutes is 4; allowed is a whole number from 5 to 60 minutes"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        alarmed(**options)
    assert str(caught.value) == f"QueueWorkerAlarms 'orders-alarms': {problem}"


def test_only_this_accounts_alarms_may_publish_to_the_topic():
    recorder = record(lambda: AlarmTopic("alarms"))
    assert recorder.children() == {"aws:sns/topic:Topic": 1, "aws:sns/topicPolicy:TopicPolicy": 1}
    assert recorder.one("aws:sns/topic:Topic").inputs == {}
    policy = recorder.one("TopicPolicy", "alarms-policy").inputs
    assert policy["arn"] == TOPIC_ARN
    assert policy_of(policy["policy"]) == [
        {
            "Sid": "DenyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["sns:Publish"],
            "Resource": [TOPIC_ARN],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "AlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["sns:Publish"],
            "Resource": [TOPIC_ARN],
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        },
    ]


def test_subscriptions_keep_their_names_when_others_come_and_go():
    both = record(lambda: AlarmTopic("alarms", AlarmTopicArgs(emails=["b@example.com", "a@example.com"])))
    one = record(lambda: AlarmTopic("alarms", AlarmTopicArgs(emails=["b@example.com"])))
    assert sorted(item.inputs["endpoint"] for item in both.of_type("TopicSubscription")) == [
        "a@example.com",
        "b@example.com",
    ]
    (kept,) = one.of_type("TopicSubscription")
    assert kept.inputs == {"topic": TOPIC_ARN, "protocol": "email", "endpoint": "b@example.com"}
    assert kept.name in both.names("TopicSubscription")


def test_the_topic_takes_a_key_that_cloudwatch_may_use():
    recorder = record(lambda: AlarmTopic("alarms", AlarmTopicArgs(encryption_key=EncryptionKey("key"))))
    key_arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3"
    assert recorder.one("aws:sns/topic:Topic").inputs == {"kmsMasterKeyId": key_arn}
    allowed = policy_of(recorder.one("aws:kms/key:Key").inputs["policy"])[-1]
    assert "cloudwatch.amazonaws.com" in allowed["Principal"]["Service"]


def test_an_address_that_is_none_is_refused():
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: AlarmTopic("alarms", AlarmTopicArgs(emails=["oncall"])))
    assert (
        str(caught.value)
        == "AlarmTopic 'alarms': emails are ['oncall']; each is one address, e.g. 'oncall@example.com'"
    )


def test_they_run_with_unknown_outputs():
    assert len(alarmed(with_service=True, preview=True).of_type("MetricAlarm")) == 5
