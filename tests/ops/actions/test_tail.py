"""`ops stream tail` on the embedded AWS and on a mock Kafka cluster."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.scene import Scene
from tests.worker.kafka.conftest import brokers, cluster  # noqa: F401 - fixtures
from tests.worker.kafka.support import Cluster
from tests.worker.stream.support import Stream, envelope


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def keys(records: list[dict[str, Any]]) -> list[str]:
    return [record["event"]["detail"]["metadata"]["idempotency-key"] for record in records]


def test_what_is_there_is_printed_and_nothing_else_happens(scene: Scene) -> None:
    stream = Stream(scene.account, shards=2)
    stream.put_numbers(0, 30, keys=6)
    answers = stream.put([("odd", "no event"), ("odd", "[1]")])
    stream.kinesis.put_record(StreamName="clicks", PartitionKey="raw", Data=b"\xff\x00")
    pattern = {"name": "clicks", "arn": stream.arn, "lease_table": "there-is-none"}
    scene.publish_pattern("clicks", {"pattern": "stream-worker", "stream": pattern})

    ran = scene.run("--stack", "dev", "stream", "tail", "clicks")
    assert (ran.code, ran.stderr) == (ExitCode.OK, "")
    found = lines(ran.stdout)
    assert len(found) == 33
    assert sorted(keys([one for one in found if "event" in one])) == sorted(f"k{n}" for n in range(30))
    for key in range(6):
        of_key = [one["event"]["detail"]["data"]["number"] for one in found if one["partition_key"] == f"g{key}"]
        assert of_key == list(range(key, 30, 6))
    assert [one["text"] for one in found if one["partition_key"] == "odd"] == ["no event", "[1]"]
    assert [one["base64"] for one in found if one["partition_key"] == "raw"] == ["/wA="]
    (odd,) = [one for one in found if one.get("text") == "no event"]
    assert (odd["shard"], odd["sequence_number"]) == (answers[0]["ShardId"], answers[0]["SequenceNumber"])

    people = scene.run("stream", "tail", stream.arn, "--max", "4", "--output", "table")
    assert (people.code, len(people.stdout.splitlines())) == (ExitCode.OK, 4)
    assert "OrderCreated k" in people.stdout


def test_since_is_a_time_and_nothing_since_then_is_told(scene: Scene) -> None:
    stream = Stream(scene.account, shards=1)
    stream.put([("g", envelope("old"))])
    time.sleep(0.1)
    tail = ["stream", "tail", "--stream", "clicks", "--since", datetime.now(UTC).isoformat()]
    time.sleep(0.1)
    ran = scene.run(*tail)
    assert (ran.code, ran.stdout) == (ExitCode.OK, "")
    assert "no records since" in ran.stderr
    stream.put([("g", envelope("new"))])
    assert keys(lines(scene.run(*tail).stdout)) == ["new"]


def test_following_goes_on_through_a_reshard_until_ctrl_c(scene: Scene) -> None:
    stream = Stream(scene.account, shards=2)
    stream.put_numbers(0, 20, keys=5)
    process = scene.start("stream", "tail", "--stream", "clicks", "--follow")
    assert process.stdout
    assert process.stderr
    try:
        found = [json.loads(process.stdout.readline()) for _ in range(20)]
        stream.kinesis.update_shard_count(StreamName="clicks", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
        stream.put_numbers(20, 40, keys=5)
        found += [json.loads(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == ExitCode.INTERRUPTED
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    for key in range(5):
        numbers = [one["event"]["detail"]["data"]["number"] for one in found if one["partition_key"] == f"g{key}"]
        assert numbers == list(range(key, 40, 5))


def test_a_throttled_read_comes_again_and_a_refused_one_is_told(scene: Scene) -> None:
    stream = Stream(scene.account, shards=1)
    stream.put_numbers(0, 3, keys=1)
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("GetRecords", Fault.DROPPED_AFTER, times=1)
        assert len(lines(scene.run("stream", "tail", "--stream", "clicks").stdout)) == 3
        proxy.inject("GetRecords", Fault.ACCESS_DENIED, times=None)
        ran = scene.run("stream", "tail", "--stream", "clicks")
    assert (ran.code, ran.stdout) == (ExitCode.ERROR, "")
    assert "AWS refused the request: these credentials lack a permission" in ran.stderr


def test_a_topic_is_printed_with_its_headers(scene: Scene, cluster: Cluster) -> None:  # noqa: F811
    cluster.put_numbers(0, 12, keys=4)
    cluster.put([(None, b"\xff")], headers=[("trace", b"t1"), ("none", None)])
    kafka = {
        "cluster": "main",
        "cluster_arn": "arn:aws:kafka:ap-southeast-2:1:cluster/main/u",
        "bootstrap_servers": cluster.brokers,
        "topic": cluster.topic,
        "topic_arn": f"arn:aws:kafka:ap-southeast-2:1:topic/main/u/{cluster.topic}",
        "partitions": 4,
        "group": "billing",
    }
    scene.publish_pattern("billing", {"pattern": "kafka-worker", "kafka": kafka})
    ran = scene.run("--stack", "dev", "stream", "tail", "billing")
    assert ran.code == ExitCode.OK, ran.stderr
    found = lines(ran.stdout)
    assert len(found) == 13
    assert sorted(keys([one for one in found if "event" in one])) == sorted(f"k{n}" for n in range(12))
    (raw,) = [one for one in found if "base64" in one]
    assert (raw["partition_key"], raw["headers"]) == (None, {"trace": "t1", "none": None})
    assert {one["shard"].rpartition("/")[0] for one in found} == {cluster.topic}
    assert all(found.offset < 0 for found in cluster.committed("billing").values())  # nothing was committed

    letters = ["stream", "tail", "billing", "--topic", cluster.dead_letter_topic, "--stack", "dev"]
    assert scene.run(*letters).stdout == ""
    later = scene.run("stream", "tail", "--brokers", cluster.brokers, "--topic", cluster.topic, "--since", "0s")
    assert (later.code, later.stdout) == (ExitCode.OK, "")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--stream", "no-such"], ExitCode.USAGE, "there is no stream 'no-such'"),
        ([], ExitCode.USAGE, "exactly one of them"),
        (["orders", "--stream", "clicks"], ExitCode.USAGE, "exactly one of them"),
        (["--stream", "clicks", "--topic", "t"], ExitCode.USAGE, "a Kinesis stream has no topics"),
        (["--brokers", "b:9098"], ExitCode.USAGE, "--brokers needs --topic"),
        (["--brokers", "127.0.0.1:9", "--topic", "t"], ExitCode.ERROR, "no broker of 127.0.0.1:9 takes a connection"),
        (["--stream", "clicks", "--since", "yesterday"], ExitCode.USAGE, "'yesterday' is no time"),
        (["orders", "--stack", "dev"], ExitCode.USAGE, "reads neither a stream nor a topic"),
        (["orders", "--stack", "dev", "--topic", "t"], ExitCode.USAGE, "has no Kafka cluster"),
    ],
)
def test_what_is_wrong_is_told(scene: Scene, tmp_path: Path, words: list[str], code: ExitCode, told: str) -> None:
    scene.publish_pattern("orders", {})
    ran = scene.run("stream", "tail", *words)
    assert (ran.code, ran.stdout) == (code, "")
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
