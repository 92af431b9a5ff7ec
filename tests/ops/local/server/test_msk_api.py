"""MSK clusters with a broker behind them, and the lag of consumer groups."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.emulator import Account
from tests.ops.local.server.helpers import wait_until

NODES: dict[str, Any] = {"ClientSubnets": ["subnet-1", "subnet-2"], "InstanceType": "kafka.t3.small"}


def provisioned(account: Account, name: str = "main") -> tuple[str, str]:
    """ARN and address of a cluster."""
    kafka = account.client("kafka")
    arn: str = kafka.create_cluster(
        ClusterName=name, KafkaVersion="3.9.x.kraft", NumberOfBrokerNodes=2, BrokerNodeGroupInfo=NODES
    )["ClusterArn"]
    return arn, kafka.get_bootstrap_brokers(ClusterArn=arn)["BootstrapBrokerString"]


def produce(address: str, topic: str, number: int) -> None:
    producer = Producer({"bootstrap.servers": address})
    for n in range(number):
        producer.produce(topic, key=str(n), value=b"x")
    assert producer.flush(60) == 0


def test_a_cluster_has_a_broker_that_other_processes_reach(account: Account) -> None:
    arn, address = provisioned(account)
    strings = account.client("kafka").get_bootstrap_brokers(ClusterArn=arn)
    assert strings["BootstrapBrokerStringSaslIam"] == f"PLAINTEXT://{address}"
    produce(strings["BootstrapBrokerStringSaslIam"], "orders", 10)
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g"})
    marks = [consumer.get_watermark_offsets(TopicPartition("orders", n), timeout=60) for n in range(4)]
    consumer.close()
    assert sum(high for _, high in marks) == 10


def test_clusters_share_nothing(account: Account) -> None:
    _, first = provisioned(account, "first")
    _, second = provisioned(account, "second")
    produce(first, "orders", 1)
    topics = Producer({"bootstrap.servers": second}).list_topics(timeout=60).topics
    assert "orders" not in topics


def test_topics_of_a_provisioned_cluster(account: Account) -> None:
    arn, address = provisioned(account)
    kafka = account.client("kafka")
    configs = base64.b64encode(json.dumps({"retention.ms": "1000"}).encode()).decode()
    made = kafka.create_topic(
        ClusterArn=arn, TopicName="orders", PartitionCount=4, ReplicationFactor=2, Configs=configs
    )
    assert made["TopicArn"] == arn.replace(":cluster/", ":topic/") + "/orders"
    assert "orders" in Producer({"bootstrap.servers": address}).list_topics(timeout=60).topics
    found = kafka.describe_topic(ClusterArn=arn, TopicName="orders")
    assert (found["PartitionCount"], found["ReplicationFactor"], found["Status"]) == (4, 2, "ACTIVE")
    assert [topic["TopicName"] for topic in kafka.list_topics(ClusterArn=arn)["Topics"]] == ["orders"]
    with pytest.raises(ClientError, match="TopicExistsException"):
        kafka.create_topic(ClusterArn=arn, TopicName="orders", PartitionCount=4, ReplicationFactor=2)
    with pytest.raises(ClientError, match="NotFoundException"):
        kafka.describe_topic(ClusterArn=arn, TopicName="other")


def test_a_serverless_cluster_has_no_topic_api(account: Account) -> None:
    kafka = account.client("kafka")
    networks = [{"SubnetIds": ["subnet-1", "subnet-2"]}]
    made = kafka.create_cluster_v2(ClusterName="main", Serverless={"VpcConfigs": networks})
    arn = made["ClusterArn"]
    info = kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]
    assert (info["ClusterType"], info["State"]) == ("SERVERLESS", "ACTIVE")
    assert info["Serverless"]["VpcConfigs"] == networks
    with pytest.raises(ClientError, match="BadRequestException"):
        kafka.create_topic(ClusterArn=arn, TopicName="orders", PartitionCount=4, ReplicationFactor=3)
    produce(kafka.get_bootstrap_brokers(ClusterArn=arn)["BootstrapBrokerString"], "orders", 1)


def test_a_deleted_cluster_takes_its_records_along(account: Account) -> None:
    arn, address = provisioned(account)
    produce(address, "orders", 1)
    account.client("kafka").delete_cluster(ClusterArn=arn)
    _, again = provisioned(account)
    assert "orders" not in Producer({"bootstrap.servers": again}).list_topics(timeout=60).topics


def test_the_lag_of_a_group_that_an_alarm_watches(account: Account) -> None:
    _, address = provisioned(account)
    cloudwatch = account.client("cloudwatch")
    dimensions = [
        {"Name": "Cluster Name", "Value": "main"},
        {"Name": "Consumer Group", "Value": "billing"},
        {"Name": "Topic", "Value": "orders"},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="lag",
        Namespace="AWS/Kafka",
        MetricName="SumOffsetLag",
        Dimensions=dimensions,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=25,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )

    def values() -> list[float]:
        now = datetime.now(UTC)
        metric = {"Namespace": "AWS/Kafka", "MetricName": "SumOffsetLag", "Dimensions": dimensions}
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(minutes=10), EndTime=now
        )
        found: list[float] = answer["MetricDataResults"][0]["Values"]
        return found

    produce(address, "orders", 30)
    group = Consumer({"bootstrap.servers": address, "group.id": "billing"})
    group.commit(offsets=[TopicPartition("orders", n, 0) for n in range(4)], asynchronous=False)
    wait_until(lambda: values()[:1] == [30], "a lag of 30")

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=["lag"])["MetricAlarms"][0]["StateValue"])

    wait_until(lambda: state() == "ALARM", "the alarm")
    ends = [group.get_watermark_offsets(TopicPartition("orders", n), timeout=60)[1] for n in range(4)]
    group.commit(offsets=[TopicPartition("orders", n, end) for n, end in enumerate(ends)], asynchronous=False)
    group.close()
    wait_until(lambda: state() == "OK", "the end of the alarm")
    assert values()[0] == 0
