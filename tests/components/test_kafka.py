from __future__ import annotations

import functools
import json
from typing import Any

import pulumi
import pytest

from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network, NetworkArgs
from components.observability.kafka_alarms import KafkaClusterAlarms, KafkaClusterAlarmsArgs
from components.streams.kafka import KafkaCluster, KafkaClusterArgs, KafkaKind, KafkaTopicArgs, MonitoringLevel
from tests.emulator import ROOT
from tests.recorder import ACCOUNT, REGION, Recorder, record

CLUSTER = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/main-0a1b2c3/0a1b-2c3d-s3"
TASKS = "network-tasks-0a1b2c3"


def network(zones: int = 2) -> Network:
    subnets = [f"subnet-{number}" for number in range(zones)]
    return Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=subnets))


def cluster(zones: int = 2, **changes: Any) -> KafkaCluster:
    return KafkaCluster("main", KafkaClusterArgs(network=network(zones), **changes))


def provisioned(zones: int = 2, **changes: Any) -> KafkaCluster:
    return cluster(zones, kind=KafkaKind.PROVISIONED, **changes)


def test_a_serverless_cluster_takes_iam_only_and_three_resources_of_network():
    recorder = record(cluster)
    assert recorder.one("aws:msk/serverlessCluster:ServerlessCluster").inputs == {
        "clientAuthentication": {"sasl": {"iam": {"enabled": True}}},
        "vpcConfigs": [{"subnetIds": ["subnet-0", "subnet-1"], "securityGroupIds": ["main-brokers-0a1b2c3"]}],
    }
    kafka = {kind: count for kind, count in recorder.children().items() if "msk" in kind or "appautoscaling" in kind}
    assert kafka == {"aws:msk/serverlessCluster:ServerlessCluster": 1}


def test_only_the_tasks_reach_the_brokers_and_only_on_the_port_for_iam():
    recorder = record(cluster)
    (ingress,) = recorder.of_type("SecurityGroupIngressRule")
    assert ingress.inputs == {
        "securityGroupId": "main-brokers-0a1b2c3",
        "referencedSecurityGroupId": TASKS,
        "ipProtocol": "tcp",
        "fromPort": 9098,
        "toPort": 9098,
    }
    assert recorder.one("SecurityGroupEgressRule", "main-tasks-egress").inputs == {
        "securityGroupId": TASKS,
        "referencedSecurityGroupId": "main-brokers-0a1b2c3",
        "ipProtocol": "tcp",
        "fromPort": 9098,
        "toPort": 9098,
    }
    assert "ingress" not in recorder.one("SecurityGroup", "main-brokers").inputs


def test_a_provisioned_cluster_is_encrypted_authenticated_and_logged():
    recorder = record(provisioned)
    inputs = recorder.one("aws:msk/cluster:Cluster").inputs
    assert inputs == {
        "kafkaVersion": "3.9.x.kraft",
        "numberOfBrokerNodes": 2,
        "brokerNodeGroupInfo": {
            "instanceType": "kafka.m7g.large",
            "clientSubnets": ["subnet-0", "subnet-1"],
            "securityGroups": ["main-brokers-0a1b2c3"],
            "storageInfo": {"ebsStorageInfo": {"volumeSize": 100}},
        },
        "configurationInfo": {
            "arn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:configuration/main-configuration-0a1b2c3/0a1b-2c3d-s3",
            "revision": 1,
        },
        "clientAuthentication": {"sasl": {"iam": True}, "unauthenticated": False},
        "encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS", "inCluster": True}},
        "enhancedMonitoring": "DEFAULT",
        "loggingInfo": {"brokerLogs": {"cloudwatchLogs": {"enabled": True, "logGroup": "main-logs-0a1b2c3"}}},
    }
    assert recorder.one("LogGroup", "main-logs").inputs == {"retentionInDays": 30}


@pytest.mark.parametrize(("zones", "copies", "in_sync"), [(2, 2, 1), (3, 3, 2)])
def test_the_configuration_survives_the_loss_of_a_zone(zones: int, copies: int, in_sync: int):
    recorder = record(lambda: provisioned(zones, configuration={"num.io.threads": "8"}).topic("orders"))
    assert recorder.one("aws:msk/configuration:Configuration").inputs == {
        "kafkaVersions": ["3.9.x.kraft"],
        "serverProperties": (
            "auto.create.topics.enable=false\n"
            f"default.replication.factor={copies}\n"
            f"min.insync.replicas={in_sync}\n"
            "num.io.threads=8\n"
            "unclean.leader.election.enable=false\n"
        ),
    }
    assert recorder.one("aws:msk/topic:Topic").inputs["replicationFactor"] == copies


def test_every_option_reaches_the_provider():
    def program() -> None:
        provisioned(
            3,
            kafka_version="4.0.x.kraft",
            instance_type="kafka.t3.small",
            brokers=6,
            storage_gib=50,
            max_storage_gib=500,
            storage_target_percent=60,
            monitoring=MonitoringLevel.PER_TOPIC_PER_BROKER,
            open_monitoring=True,
            monitoring_security_group_ids=["sg-prometheus"],
            log_retention_days=7,
            encryption_key=EncryptionKey("key"),
        )

    recorder = record(program)
    inputs = recorder.one("aws:msk/cluster:Cluster").inputs
    assert inputs["kafkaVersion"] == "4.0.x.kraft"
    assert inputs["numberOfBrokerNodes"] == 6
    assert inputs["brokerNodeGroupInfo"]["instanceType"] == "kafka.t3.small"
    assert inputs["brokerNodeGroupInfo"]["storageInfo"] == {"ebsStorageInfo": {"volumeSize": 50}}
    assert inputs["enhancedMonitoring"] == "PER_TOPIC_PER_BROKER"
    exporter = {"enabledInBroker": True}
    assert inputs["openMonitoring"] == {"prometheus": {"jmxExporter": exporter, "nodeExporter": exporter}}
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3"
    assert inputs["encryptionInfo"]["encryptionAtRestKmsKeyArn"] == key
    scrapers = [item for item in recorder.of_type("SecurityGroupIngressRule") if "scraper" in item.name]
    assert {(item.inputs["referencedSecurityGroupId"], item.inputs["fromPort"]) for item in scrapers} == {
        ("sg-prometheus", 11001),
        ("sg-prometheus", 11002),
    }
    assert {item.name for item in scrapers} == {"main-scraper-sg-prometheus-11001", "main-scraper-sg-prometheus-11002"}
    assert recorder.one("LogGroup", "main-logs").inputs == {"retentionInDays": 7}


def test_storage_grows_and_never_shrinks():
    recorder = record(lambda: provisioned(storage_gib=50, storage_target_percent=60))
    assert recorder.one("aws:appautoscaling/target:Target", "main-storage").inputs == {
        "serviceNamespace": "kafka",
        "scalableDimension": "kafka:broker-storage:VolumeSize",
        "resourceId": CLUSTER,
        "minCapacity": 1,
        "maxCapacity": 200,
    }
    policy = recorder.one("aws:appautoscaling/policy:Policy", "main-storage-use").inputs
    assert policy["targetTrackingScalingPolicyConfiguration"] == {
        "predefinedMetricSpecification": {"predefinedMetricType": "KafkaBrokerStorageUtilization"},
        "targetValue": 60,
        "disableScaleIn": True,
    }


def test_storage_of_a_fixed_size_is_not_scaled():
    recorder = record(lambda: provisioned(storage_gib=50, max_storage_gib=50))
    assert recorder.of_type("aws:appautoscaling/target:Target") == []


def test_topics_are_code_on_a_provisioned_cluster():
    def program() -> None:
        made = provisioned()
        made.topic("orders")
        made.topic("Clicks_v2.raw", KafkaTopicArgs(partitions=12, retention_hours=1, max_message_bytes=2_000_000))

    recorder = record(program)
    assert recorder.one("aws:msk/topic:Topic", "main-orders").inputs == {
        "clusterArn": CLUSTER,
        "name": "orders",
        "partitionCount": 4,
        "replicationFactor": 2,
        "configs": json.dumps({"cleanup.policy": "delete", "retention.ms": "604800000"}),
    }
    other = recorder.one("aws:msk/topic:Topic", "main-Clicks_v2.raw").inputs
    assert other["partitionCount"] == 12
    assert json.loads(other["configs"]) == {
        "cleanup.policy": "delete",
        "max.message.bytes": "2000000",
        "retention.ms": "3600000",
    }


def test_a_serverless_cluster_has_no_topic_resources_and_its_clients_may_create_them():
    granted: list[dict[str, Any]] = []

    def program() -> None:
        made = cluster()
        topic = made.topic("orders")
        assert topic.resource is None
        assert topic.replication_factor == 3
        granted.extend(statement.to_json() for statement in made.create_topics([topic]))

    recorder = record(program)
    assert recorder.of_type("aws:msk/topic:Topic") == []
    assert [statement["Action"] for statement in granted] == [
        ["kafka-cluster:Connect"],
        ["kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopic"],
    ]


def test_clients_of_a_provisioned_cluster_need_not_create_topics():
    found: list[object] = []

    def program() -> None:
        made = provisioned()
        found.append(made.create_topics([made.topic("orders")]))

    record(program)
    assert found == [[]]


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        (
            "consume",
            {
                "kafka-cluster:Connect": CLUSTER,
                "kafka-cluster:DescribeTopic": CLUSTER.replace(":cluster/", ":topic/") + "/orders",
                "kafka-cluster:ReadData": CLUSTER.replace(":cluster/", ":topic/") + "/orders",
                "kafka-cluster:DescribeGroup": CLUSTER.replace(":cluster/", ":group/") + "/billing",
                "kafka-cluster:AlterGroup": CLUSTER.replace(":cluster/", ":group/") + "/billing",
            },
        ),
        (
            "produce",
            {
                "kafka-cluster:Connect": CLUSTER,
                "kafka-cluster:WriteDataIdempotently": CLUSTER,
                "kafka-cluster:DescribeTopic": CLUSTER.replace(":cluster/", ":topic/") + "/orders",
                "kafka-cluster:WriteData": CLUSTER.replace(":cluster/", ":topic/") + "/orders",
            },
        ),
    ],
)
def test_grants_name_their_actions_the_cluster_the_topic_and_the_group(grant: str, expected: dict[str, str]):
    found: dict[str, str] = {}

    def program() -> None:
        made = provisioned()
        topic = made.topic("orders")
        for statement in made.consume(topic, "billing") if grant == "consume" else made.produce(topic):
            for action in statement.actions:
                assert statement.resources is not None
                (resource,) = statement.resources
                pulumi.Output.from_input(resource).apply(functools.partial(found.__setitem__, action))

    record(program)
    assert found == expected


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"zones": 1}, "the network has 1 task subnets; MSK needs 2 or 3, each in another zone"),
        ({"zones": 4}, "the network has 4 task subnets; MSK needs 2 or 3, each in another zone"),
        ({"kind": "express"}, "kind is 'express'; allowed is one of 'serverless', 'provisioned'"),
        ({"brokers": 2}, "brokers: a serverless cluster has no such thing; remove it or set kind to provisioned"),
        (
            {"open_monitoring": True, "configuration": {"a": "b"}},
            "configuration, open_monitoring: a serverless cluster has no such thing; remove it or",
        ),
        (
            {"kind": KafkaKind.PROVISIONED, "kafka_version": "3.6.0"},
            "kafka_version is '3.6.0'; allowed are versions without ZooKeeper from 3.7.x.kraft on, e.g. '3.9.x.kraft'",
        ),
        (
            {"kind": KafkaKind.PROVISIONED, "instance_type": "m5.large"},
            "instance_type is 'm5.large'; allowed is a standard broker, e.g. 'kafka.m7g.large'",
        ),
        ({"kind": KafkaKind.PROVISIONED, "brokers": 3}, "brokers is 3; allowed is a multiple of the 2 subnets"),
        (
            {"kind": KafkaKind.PROVISIONED, "storage_gib": 100, "max_storage_gib": 50},
            "max_storage_gib is 50, less than storage_gib (100); storage never shrinks",
        ),
        (
            {"kind": KafkaKind.PROVISIONED, "storage_gib": 0},
            "storage_gib is 0; allowed is a whole number from 1 to 16,384 GiB",
        ),
        (
            {"kind": KafkaKind.PROVISIONED, "configuration": {"min.insync.replicas": "1"}},
            "configuration sets min.insync.replicas, which follow from the number of zones; remove them",
        ),
        (
            {"kind": KafkaKind.PROVISIONED, "monitoring_security_group_ids": ["sg-1"]},
            "monitoring_security_group_ids needs open_monitoring=True: there is nothing to scrape",
        ),
    ],
)
def test_wrong_arguments_are_told_apart(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: cluster(**changes))
    assert any(line.startswith(f"KafkaCluster 'main': {problem}") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("orders/new", {}, "topic 'orders/new': allowed are 1 to 249 letters, digits, dots, hyphens and underscores"),
        ("..", {}, "topic '..': allowed are"),
        ("orders", {"partitions": 0}, "partitions is 0; allowed is a whole number from 1 to 1,000 partitions"),
        ("orders", {"retention_hours": 0}, "retention_hours is 0; allowed is a whole number from 1 to 87,600 hours"),
        (
            "orders",
            {"max_message_bytes": 1},
            "max_message_bytes is 1; allowed is a whole number from 1,024 to 8,388,608",
        ),
    ],
)
def test_wrong_topics_are_told(name: str, values: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: cluster().topic(name, KafkaTopicArgs(**values)))
    assert problem in str(caught.value)


def test_a_topic_is_created_once():
    def program() -> None:
        made = cluster()
        made.topic("orders")
        made.topic("orders")

    with pytest.raises(InvalidArgsError, match="the topic 'orders' is created twice; share it or take another name"):
        record(program)


def alarms(**changes: Any) -> Recorder:
    return record(
        lambda: KafkaClusterAlarms("main-alarms", KafkaClusterAlarmsArgs(cluster=provisioned(brokers=4), **changes))
    )


def test_the_alarms_of_a_cluster():
    recorder = alarms(topic_arn="arn:topic", disk_used_percent=80)
    watched = {
        item.name.removeprefix("main-alarms-"): (
            item.inputs["metricName"],
            item.inputs["comparisonOperator"],
            item.inputs["threshold"],
            item.inputs["dimensions"],
        )
        for item in recorder.of_type("MetricAlarm")
    }
    name = {"Cluster Name": "main-0a1b2c3"}
    up, down = "GreaterThanOrEqualToThreshold", "LessThanOrEqualToThreshold"
    assert watched == {
        "offline-partitions": ("OfflinePartitionsCount", up, 1, name),
        "no-controller": ("ActiveControllerCount", down, 0, name),
        **{f"disk-{n}": ("KafkaDataLogsDiskUsed", up, 80, {**name, "Broker ID": str(n)}) for n in range(1, 5)},
    }
    index = (ROOT / "docs/runbooks/alarms.md").read_text()
    for item in recorder.of_type("MetricAlarm"):
        assert item.inputs["alarmActions"] == item.inputs["okActions"] == ["arn:topic"]
        assert "docs/runbooks/kafka-cluster.md" in item.inputs["alarmDescription"]
        purpose = item.name.removeprefix("main-alarms-")
        assert f"…-{'disk-<broker>' if purpose.startswith('disk') else purpose}`" in index


def test_a_serverless_cluster_has_no_metrics_to_watch():
    with pytest.raises(InvalidArgsError, match="the cluster is serverless; MSK publishes none of these metrics"):
        record(lambda: KafkaClusterAlarms("main-alarms", KafkaClusterAlarmsArgs(cluster=cluster())))
