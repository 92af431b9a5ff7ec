"""`ops status` of streams: real workers on the embedded AWS and on a mock Kafka cluster."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ops.actions.streams.partitions import holders_of
from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.scene import Scene
from tests.worker.kafka.conftest import brokers, cluster  # noqa: F401 - fixtures
from tests.worker.kafka.support import Cluster, Group
from tests.worker.kafka.support import envelope as order
from tests.worker.stream.support import Application, Stream, wait_for


def publish(scene: Scene, application: Application, **more: Any) -> None:
    stream = {"name": "clicks", "arn": application.stream.arn, "lease_table": f"{application.name}-leases"}
    scene.publish_pattern("clicks", {"pattern": "stream-worker", "stream": stream | more})


def status(scene: Scene, name: str = "clicks") -> dict[str, Any]:
    ran = scene.run("--stack", "dev", "status", name, "--output", "json")
    assert ran.code == ExitCode.OK, ran.stderr
    (row,) = json.loads(ran.stdout)
    assert isinstance(row, dict)
    return row


def test_a_streams_shards_their_holder_and_what_waits(scene: Scene, tmp_path: Path) -> None:
    stream = Stream(scene.account, shards=2)
    application = Application(stream, tmp_path)
    publish(scene, application)
    stream.put_numbers(0, 10, keys=10)

    unknown = status(scene)["stream"]
    assert [shard["held_by"] for shard in unknown["shards"]] == [None, None]
    assert unknown["behind_seconds"] is None  # nobody has made leases yet
    worker = application.start()
    try:
        application.wait_for_effects(10)
        wait_for("all to be committed", lambda: status(scene)["stream"]["behind_seconds"] == 0, 60)
        found = status(scene)["stream"]
        (owner,) = found["workers"]
        assert found["workers"] == {owner: 2}
        assert [(shard["state"], shard["held_by"]) for shard in found["shards"]] == [("open", owner)] * 2
        table = scene.run("--stack", "dev", "status", "clicks").stdout
        assert "2/2 by 1" in table
        assert table.count(owner) == 2
        all_patterns = scene.run("--stack", "dev", "status")
        assert (all_patterns.code, owner in all_patterns.stdout) == (ExitCode.OK, False)
        assert "2/2 by 1" in all_patterns.stdout
    finally:
        worker.kill()

    stream.put_numbers(10, 30, keys=20)
    wait_for("the records to wait", lambda: status(scene)["stream"]["behind_seconds"] > 0.1)
    before = application.leases()
    stream.kinesis.update_shard_count(StreamName="clicks", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    shards = status(scene)["stream"]["shards"]
    assert [shard["state"] for shard in shards] == ["closed", "closed", "open", "open", "open", "open"]
    assert [shard["checkpoint"] is None for shard in shards] == [False, False, True, True, True, True]
    assert application.leases() == before  # looking takes no lease
    with application.worker():
        application.wait_for_effects(30)
        wait_for("the parents' end", lambda: status(scene)["stream"]["ended"] == 2, 60)
        assert len(status(scene)["stream"]["shards"]) == 4


def test_what_cannot_be_read_of_a_stream_is_told_and_the_rest_is_shown(scene: Scene, tmp_path: Path) -> None:
    stream = Stream(scene.account, shards=1)
    application = Application(stream, tmp_path)
    publish(scene, application)
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("Scan", Fault.ACCESS_DENIED, times=None)
        ran = scene.run("--stack", "dev", "status", "clicks")
    assert ran.code == ExitCode.PARTLY
    assert "clicks: its lease table: AWS refused the request" in ran.stderr
    assert "shardId-000000000000" in ran.stdout
    assert "?" in ran.stdout


def test_the_iterator_age_is_the_registered_consumers_own(scene: Scene, tmp_path: Path) -> None:
    stream = Stream(scene.account, shards=1)
    application = Application(stream, tmp_path)
    cloudwatch = scene.account.client("cloudwatch")
    for metric, consumer, value in (
        ("GetRecords.IteratorAgeMilliseconds", None, 9000),
        ("SubscribeToShardEvent.MillisBehindLatest", "fast", 4000),
    ):
        dimensions = {"StreamName": "clicks"} | ({"ConsumerName": consumer} if consumer else {})
        data = {
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/Kinesis", MetricData=[data])
    publish(scene, application)
    assert status(scene)["stream"]["iterator_age_seconds"] == 9
    publish(scene, application, consumer_arn=f"{stream.arn}/consumer/fast:1700000000")
    assert status(scene)["stream"]["iterator_age_seconds"] == 4


def publish_kafka(scene: Scene, group: str, topic: str, servers: str) -> None:
    kafka = {
        "cluster": "main",
        "cluster_arn": "arn:aws:kafka:ap-southeast-2:1:cluster/main/u",
        "bootstrap_servers": servers,
        "topic": topic,
        "topic_arn": f"arn:aws:kafka:ap-southeast-2:1:topic/main/u/{topic}",
        "partitions": 4,
        "group": group,
    }
    scene.publish_pattern("billing", {"pattern": "kafka-worker", "kafka": kafka})


def test_a_groups_partitions_and_its_lag(scene: Scene, tmp_path: Path, cluster: Cluster) -> None:  # noqa: F811
    group = Group(cluster, scene.account, tmp_path)
    publish_kafka(scene, group.name, cluster.topic, cluster.brokers)
    cluster.put_numbers(0, 20, keys=20)
    assert status(scene, "billing")["kafka"]["lag"] is None  # the group has not committed yet
    with group.worker():
        group.wait_for_effects(20)
        wait_for("the commit", lambda: status(scene, "billing")["kafka"]["lag"] == 0, 60)
    cluster.put([("g", order(f"n{number}")) for number in range(7)])
    found = status(scene, "billing")["kafka"]
    assert (found["lag"], len(found["partitions"])) == (7, 4)
    assert sum(one["end"] for one in found["partitions"]) == 27
    ran = scene.run("--stack", "dev", "status", "billing")
    assert "7 records" in ran.stdout
    assert "do not say who holds which partition" in ran.stderr


def test_where_no_broker_answers_the_lag_is_cloudwatchs(scene: Scene) -> None:
    dimensions = [
        {"Name": "Cluster Name", "Value": "main"},
        {"Name": "Consumer Group", "Value": "billing"},
        {"Name": "Topic", "Value": "orders"},
    ]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value}
        for name, value in (("SumOffsetLag", 120), ("EstimatedMaxTimeLag", 33))
    ]
    scene.account.client("cloudwatch").put_metric_data(Namespace="AWS/Kafka", MetricData=data)
    publish_kafka(scene, "billing", "orders", "127.0.0.1:9,localhost:9")
    ran = scene.run("--stack", "dev", "status", "billing")
    assert ran.code == ExitCode.OK
    assert "120 records, 33 s" in ran.stdout
    assert "the brokers answer in their own network only" in ran.stderr


def test_who_holds_a_partition_is_what_its_members_say() -> None:
    """librdkafka's mock cluster does not answer DescribeGroups: what a broker answers, as the client gives it."""

    def member(client: str, host: str, *assigned: tuple[str, int]) -> Any:
        topics = [SimpleNamespace(topic=topic, partition=number) for topic, number in assigned]
        return SimpleNamespace(client_id=client, host=host, assignment=SimpleNamespace(topic_partitions=topics))

    members = [
        member("billing-consumer@t1", "/10.0.0.1", ("orders", 0), ("orders", 2), ("other", 1)),
        member("billing-consumer@t2", "/10.0.0.2", ("orders", 1)),
    ]
    assert holders_of(members, "orders") == {
        0: "billing-consumer@t1 /10.0.0.1",
        1: "billing-consumer@t2 /10.0.0.2",
        2: "billing-consumer@t1 /10.0.0.1",
    }
