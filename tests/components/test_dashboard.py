from __future__ import annotations

import json
from typing import Any

import pytest

from components.core.errors import ComponentError, InvalidArgsError
from components.observability.dashboard import Dashboard, DashboardArgs
from components.observability.dashboard_body import dashboard_body
from contracts.brokers import BrokerEngine
from contracts.manifest import (
    BrokerRef,
    DeadLetterQueueRef,
    Holds,
    KafkaRef,
    PatternManifest,
    QueueRef,
    ScalingRef,
    ServiceRef,
    StreamRef,
)
from tests.recorder import ACCOUNT, REGION, record

PREFIX = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"
QUEUE = QueueRef(name="orders-1", url="https://q", arn="arn:q")
DLQ = DeadLetterQueueRef(name="orders-dlq-1", url="https://d", arn="arn:d", holds=Holds.MESSAGES)
SERVICE = ServiceRef(cluster="cluster-1", name="orders-1", log_group="logs")


def manifest(name: str = "orders", **values: Any) -> PatternManifest:
    return PatternManifest(name=name, pattern="queue-worker", stack="dev", region=REGION, **values)


def graphs(*patterns: PatternManifest, **options: Any) -> dict[str, list[Any]]:
    widgets = dashboard_body(patterns, alarm_prefix=PREFIX, **options)["widgets"]
    return {w["properties"]["title"]: w["properties"]["metrics"] for w in widgets if w["type"] == "metric"}


def test_a_queue_worker_has_the_figures_of_ops_status():
    scaling = ScalingRef(policy="backlog-per-task", min=0, max=10, acceptable_latency_seconds=300)
    pattern = manifest(queue=QUEUE, dead_letter_queues=(DLQ,), service=SERVICE, scaling=scaling, alarms=("a", "b"))
    assert graphs(pattern) == {
        "Messages": [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "orders-1", {"label": "visible"}],
            ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", "orders-1", {"label": "in flight"}],
        ],
        "Oldest message, seconds": [
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "orders-1", {"label": "age"}]
        ],
        "Tasks": [
            [
                *("AWS/ECS", "CPUUtilization", "ClusterName", "cluster-1", "ServiceName", "orders-1"),
                {"label": "running", "stat": "SampleCount"},
            ]
        ],
        "Dead letters": [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "orders-dlq-1", {"label": "orders-dlq-1"}]
        ],
    }
    header, messages, age, tasks, letters, alarms = dashboard_body([pattern], alarm_prefix=PREFIX)["widgets"]
    assert header["properties"]["markdown"] == "**orders** · queue-worker · `ops --stack dev status orders`"
    assert messages["properties"] == {
        "title": "Messages",
        "region": REGION,
        "view": "timeSeries",
        "stat": "Maximum",
        "period": 60,
        "metrics": graphs(pattern)["Messages"],
        "yAxis": {"left": {"min": 0}},
    }
    assert age["properties"]["annotations"] == {"horizontal": [{"label": "acceptable", "value": 300}]}
    assert tasks["properties"]["annotations"] == {
        "horizontal": [{"label": "min", "value": 0}, {"label": "max", "value": 10}]
    }
    assert [(w["x"], w["y"], w["width"]) for w in (header, messages, age, tasks, letters, alarms)] == [
        *((0, 0, 24), (0, 1, 6), (6, 1, 6), (12, 1, 6), (18, 1, 6), (0, 7, 24)),
    ]
    assert alarms["properties"] == {"title": "Alarms", "alarms": [f"{PREFIX}a", f"{PREFIX}b"]}


def test_desired_tasks_are_shown_where_they_have_a_metric():
    lines = graphs(manifest(service=SERVICE), container_insights=True)["Tasks"]
    names = ["ClusterName", "cluster-1", "ServiceName", "orders-1"]
    assert lines[1:] == [["ECS/ContainerInsights", "DesiredTaskCount", *names, {"label": "desired"}]]


def test_streams_topics_and_brokers():
    consumer = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s-1/consumer/ledger:1700000000"
    stream = StreamRef(name="s-1", arn="arn:s", lease_table="t", consumer_arn=consumer)
    scaling = ScalingRef(policy="lag", min=1, max=2, acceptable_latency_seconds=60)
    assert graphs(manifest("ledger", stream=stream, scaling=scaling)) == {
        "Behind the stream, milliseconds": [
            ["EDA/Workers", "LagMilliseconds", "Pattern", "ledger", "Stack", "dev", {"label": "handled"}],
            ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", "s-1", {"label": "iterator age"}],
            [
                *("AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest"),
                *("ConsumerName", "ledger", "StreamName", "s-1"),
                {"label": "enhanced fan-out"},
            ],
        ]
    }
    kafka = KafkaRef(
        cluster="k", cluster_arn="arn:k", bootstrap_servers="b", topic="t", topic_arn="arn:t", partitions=3, group="g"
    )
    dimensions = ["Cluster Name", "k", "Consumer Group", "g", "Topic", "t", {"label": "g"}]
    assert graphs(manifest(kafka=kafka)) == {
        "Lag, records": [["AWS/Kafka", "SumOffsetLag", *dimensions]],
        "Lag, seconds": [["AWS/Kafka", "EstimatedMaxTimeLag", *dimensions]],
    }

    def broker(engine: str, *urls: str) -> PatternManifest:
        reference = BrokerRef(
            name="b", arn="arn:b", engine=engine, urls=urls, secret_arn="arn:x", queue="q", dead_letter_queue="q.dlq"
        )
        return manifest(broker=reference)

    assert graphs(broker(BrokerEngine.RABBITMQ, "amqps://1"))["Messages"] == [
        ["AWS/AmazonMQ", "MessageCount", "Broker", "b", "Queue", "q", "VirtualHost", "/", {"label": "q"}]
    ]
    pair = graphs(broker(BrokerEngine.ACTIVEMQ, "stomp+ssl://1", "stomp+ssl://2"))
    assert [line[3] for line in pair["Messages"]] == ["b-1", "b-2"]
    assert [(line[1], line[5]) for line in pair["Dead letters"]] == [("QueueSize", "q.dlq")] * 2


def test_sections_follow_each_other_and_a_pattern_with_nothing_to_show_has_none():
    widgets = dashboard_body(
        [manifest("one", queue=QUEUE), manifest("none"), manifest("two", queue=QUEUE)], alarm_prefix=PREFIX
    )["widgets"]
    assert [(w["type"], w["y"]) for w in widgets] == [
        *(("text", 0), ("metric", 1), ("metric", 1), ("text", 7), ("metric", 8), ("metric", 8))
    ]


def test_the_limits_of_a_dashboard_hold():
    section = manifest(queue=QUEUE, service=SERVICE, dead_letter_queues=(DLQ,))
    assert len(dashboard_body([section] * 100, alarm_prefix=PREFIX)["widgets"]) == 500
    with pytest.raises(ComponentError) as error:
        dashboard_body([section] * 101, alarm_prefix=PREFIX)
    assert str(error.value) == (
        "dashboard: 505 widgets with 505 metrics; CloudWatch allows 500 and 2,500. Set dashboard.per to pattern, or "
        "dashboard.enabled to false"
    )
    many = manifest(alarms=tuple(f"a{number}" for number in range(101)))
    widgets = dashboard_body([many], alarm_prefix=PREFIX)["widgets"]
    assert [len(w["properties"]["alarms"]) for w in widgets if w["type"] == "alarm"] == [100, 1]


def test_the_component_writes_the_body_when_the_manifests_are_known():
    text = manifest(queue=QUEUE, alarms=("late",)).to_json()
    recorder = record(lambda: Dashboard("overview", DashboardArgs(manifests={"orders": text})), stack="dev.eu")
    inputs = recorder.one("aws:cloudwatch/dashboard:Dashboard", "overview").inputs
    assert inputs["dashboardName"] == "eda-dev-eu-overview"
    body = json.loads(inputs["dashboardBody"])
    assert body == dashboard_body([PatternManifest.from_json(text)], alarm_prefix=PREFIX)


def test_nothing_to_show_is_refused():
    with pytest.raises(InvalidArgsError, match="manifests is empty; there is nothing to show"):
        record(lambda: Dashboard("overview", DashboardArgs(manifests={})))
