"""The source `kafka` as a process, on librdkafka's mock cluster."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from tests.emulator import Account
from tests.worker.kafka.support import PARTITIONS, Cluster, Group, envelope, wait_for


def header(message: Any, name: str) -> str:
    values = [value.decode() for key, value in message.headers() or [] if key == name]
    assert len(values) == 1
    return str(values[0])


def test_records_are_handled_once_in_order_and_committed(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put_numbers(0, 100, keys=10)
    with group.worker() as worker:
        group.wait_for_effects(100)
    assert worker.outcomes() == {"handled": 100}
    assert group.attempts() == {f"k{n}": 1 for n in range(100)}
    assert group.order() == {f"g{k}": list(range(k, 100, 10)) for k in range(10)}
    assert group.lag() == 0
    (line,) = [line for line in worker.lines() if line.get("idempotency_key") == "k7"]
    assert line["shard"].startswith(f"{cluster.topic}/")
    assert (line["partition_key"], line["attempt"]) == ("g7", 1)


def test_a_copy_of_an_event_is_handled_once(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    event = envelope("same", group="g", number=0)
    cluster.put([("g", event), ("g", event), ("other", event)])
    with group.worker(CONCURRENCY="1") as worker:
        wait_for("three outcomes", lambda: worker.outcomes().total() == 3)
    assert worker.outcomes() == {"handled": 1, "duplicate": 2}
    assert group.attempts() == {"same": 1}
    assert group.lag() == 0


def test_two_groups_get_every_record(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    first = Group(cluster, account, tmp_path / "a", "billing")
    second = Group(cluster, account, tmp_path / "b", "search")
    cluster.put_numbers(0, 40, keys=5)
    with first.worker(), second.worker():
        first.wait_for_effects(40)
        second.wait_for_effects(40)
    assert first.attempts() == second.attempts() == {f"k{n}": 1 for n in range(40)}


def test_a_failing_record_holds_back_its_key_only(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    failing = {0: {"fail": 2, "gate": 3}}
    bad = [("bad", envelope(f"bad{n}", group="bad", number=n, **failing.get(n, {}))) for n in range(3)]
    cluster.put([*bad, *[(f"g{n}", envelope(f"k{n}", group="good", number=n)) for n in range(20)]])
    with group.worker() as worker:
        group.wait_for_effects(20)
        group.open_gate()
        group.wait_for_effects(23)
    assert worker.outcomes() == {"handled": 23, "retry": 2}
    assert group.order()["bad"] == [0, 1, 2]
    ends = [call["key"] for call in group.calls("end")]
    assert ends.index("bad1") > ends.index("bad0")
    assert ends.index("bad0") >= 20, "the others did not overtake"
    assert group.lag() == 0


def test_poison_goes_to_the_topic_and_the_queue_with_reason_and_origin(
    cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    group = Group(cluster, account, tmp_path)
    poison = envelope("poison", group="g", number=0, poison=True)
    places = cluster.put([("g", poison)], headers=[("trace", b"t1"), (FAILURE, b"of an earlier round")])
    places += cluster.put([("g", envelope("tired", group="g", number=1, fail=99)), ("g", "no event"), (None, b"\xff")])
    cluster.put([("g", envelope("after", group="g", number=2))])
    with group.worker() as worker:
        group.wait_for_effects(1)
        wait_for("four letters", lambda: worker.outcomes()["dead-lettered"] == 4)
    assert group.effects() == {"after"}
    assert worker.outcomes() == {"dead-lettered": 4, "retry": 2, "handled": 1}
    assert group.lag() == 0

    letters = {StreamPosition.from_json(header(item, STREAM_POSITION)): item for item in cluster.dead_letters()}
    assert len(letters) == 4
    for (partition, offset), key in zip(places, [b"g", b"g", b"g", None], strict=True):
        (position,) = [
            found
            for found in letters
            if found and (found.shard_id, found.sequence_number) == (f"{cluster.topic}/{partition}", str(offset))
        ]
        assert position is not None
        assert position.stream_arn.endswith(f"/{cluster.topic}")
        message = letters[position]
        assert message.key() == key
        failure = Failure.from_json(header(message, FAILURE))
        assert failure is not None
        if offset == places[0][1] and message.value() == poison.encode():
            assert header(message, "trace") == "t1"
            assert (failure.error, failure.receive_count, failure.retryable) == ("NonRetryableError", 1, False)
        if b"tired" in (message.value() or b""):
            assert (failure.error, failure.receive_count, failure.retryable) == ("RuntimeError", 3, True)

    messages = {
        StreamPosition.from_json(item["MessageAttributes"][STREAM_POSITION]["StringValue"]): item
        for item in group.letters()
    }
    assert {(item.shard_id, item.sequence_number) for item in messages if item} == {
        (item.shard_id, item.sequence_number) for item in letters if item
    }
    (binary,) = [item for position, item in messages.items() if position and position.body is RecordBody.BASE64]
    assert base64.b64decode(binary["Body"]) == b"\xff"


def test_one_place_for_dead_letters_is_enough(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put([("g", "no event"), ("g", envelope("good", group="g", number=0))])
    with group.worker(DEAD_LETTER_QUEUE_URL=""):
        group.wait_for_effects(1)
    assert len(cluster.dead_letters()) == 1
    assert group.letters() == []


def test_dead_letters_that_nobody_takes_hold_their_key_and_lose_nothing(
    cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put([("g", envelope("poison", group="g", number=0, poison=True)), ("g", envelope("next", number=1))])
    cluster.put([("other", envelope("other", number=2))])
    with group.worker(DEAD_LETTER_QUEUE_URL=f"{group.queue_url}-that-is-not-there") as worker:
        refused = "cannot send a record to the on-failure queue"
        wait_for("two refusals", lambda: sum(line["message"].startswith(refused) for line in worker.lines()) >= 2)
        group.wait_for_effects(1)
    assert group.effects() == {"other"}
    assert group.lag() == 2
    assert group.letters() == []
    with group.worker():
        group.wait_for_effects(2)
    assert len(group.letters()) == 1
    # The topic had it from the first worker, and got it again from the second: at least once, but not per retry.
    assert len(cluster.dead_letters()) == 2


def test_sigterm_finishes_what_is_begun_and_commits_it(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put_numbers(0, 60, keys=30, seconds=0.2, gate=1)
    worker = group.start()
    try:
        wait_for("some work", lambda: len(group.calls()) == 4)
        worker.begin_to_stop()
        group.open_gate()
        assert worker.process.wait(60) == 0, worker.text()
    finally:
        worker.kill()
    begun = {call["key"] for call in group.calls()}
    assert begun == group.effects()
    assert len(begun) < 60
    with group.worker(CONCURRENCY="20"):
        group.wait_for_effects(60)
    assert group.attempts() == {f"k{n}": 1 for n in range(60)}
    assert group.lag() == 0


def test_what_is_handled_while_the_worker_stops_is_committed_too(
    cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put([(f"g{n}", envelope(f"k{n}", group="g", number=n, gate=int(n >= 4))) for n in range(8)], partition=1)
    worker = group.start()
    try:
        wait_for("an earlier commit", lambda: cluster.committed(group.name)[1].offset == 4)
        worker.begin_to_stop()
        group.open_gate()
        assert worker.process.wait(60) == 0, worker.text()
    finally:
        worker.kill()
    assert cluster.committed(group.name)[1].offset == len(group.calls("end")) == 8


def test_work_longer_than_the_stop_timeout_is_told_and_free_at_once(
    cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put([("g", envelope("endless", seconds=60, group="g", number=0))])
    worker = group.start(STOP_TIMEOUT_SECONDS="2")
    try:
        wait_for("the work to begin", group.calls)
        assert worker.stop() == 3
    finally:
        worker.kill()
    assert group.dynamodb.scan(TableName="orders-keys")["Items"] == []
    assert group.lag() == 1


def test_long_work_keeps_its_partition_and_the_others_go_on(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put([("slow", envelope("slow", seconds=9, gate=1, group="slow", number=0))])
    with group.worker(), group.worker():
        wait_for("the slow one to begin", group.calls)
        cluster.put_numbers(0, 40, keys=10)
        group.wait_for_effects(40)
        assert "slow" not in group.effects()
        group.open_gate()
        group.wait_for_effects(41)
    assert group.attempts() == {"slow": 1, **{f"k{n}": 1 for n in range(40)}}


def test_more_records_than_are_in_hand_at_a_time(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path, KAFKA_BATCH_SIZE="5")
    cluster.put_numbers(0, 300, keys=20, seconds=0.01)
    with group.worker(LOG_LEVEL="DEBUG") as worker:
        group.wait_for_effects(300)
    assert group.attempts() == {f"k{n}": 1 for n in range(300)}
    assert group.order() == {f"g{k}": list(range(k, 300, 20)) for k in range(20)}
    assert worker.outcomes() == {"handled": 300}


def test_order_of_the_whole_partition(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path, KAFKA_ORDER="partition")
    records: list[tuple[str | bytes | None, str | bytes]] = [
        (None, envelope(f"k{n}", group="all", number=n, seconds=0.02 if n % 2 else 0, fail=1 if n == 7 else 0))
        for n in range(20)
    ]
    cluster.put(records, partition=1)
    with group.worker():
        group.wait_for_effects(20)
    assert group.order() == {"all": list(range(20))}


def test_latest_begins_with_what_comes_also_after_a_stop(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path, KAFKA_START="latest")
    cluster.put_numbers(0, 10, keys=5)
    with group.worker():
        wait_for(
            "its first commits", lambda: all(found.offset >= 0 for found in cluster.committed(group.name).values())
        )
    cluster.put_numbers(10, 20, keys=5)  # while nobody runs
    with group.worker():
        group.wait_for_effects(10)
    assert group.effects() == {f"k{n}" for n in range(10, 20)}


def test_a_record_that_kills_its_workers_is_given_up(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path, KAFKA_BATCH_SIZE="2", MAX_ATTEMPTS="1", CONCURRENCY="1")
    cluster.put([("bomb", envelope("bomb", kills=True, number=0)), ("a", envelope("after", number=1))], partition=2)
    cluster.commit(group.name, 2, 0, "crashes=2")  # of the three that it takes
    first = group.start()
    second = None
    try:
        wait_for("the crash", lambda: first.process.poll() is not None)
        assert cluster.committed(group.name)[2].metadata == "crashes=3"
        second = group.start()
        group.wait_for_effects(1)
        assert second.stop() == 0
    finally:
        first.kill()
        if second:
            second.kill()
    (letter,) = cluster.dead_letters()
    failure = Failure.from_json(header(letter, FAILURE))
    assert failure is not None
    assert failure.error == "WorkerCrashedError"
    assert json.loads(letter.value() or b"")["detail"]["metadata"]["idempotency-key"] == "bomb"
    assert group.effects() == {"after"}
    assert group.lag() == 0
    assert not cluster.committed(group.name)[2].metadata


def test_an_idle_worker_that_is_killed_is_no_suspect(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    worker = group.start()
    try:
        wait_for("its commits", lambda: all(found.offset >= 0 for found in cluster.committed(group.name).values()))
    finally:
        worker.kill()
    assert {found.metadata or "" for found in cluster.committed(group.name).values()} == {""}


def test_topics_are_made_when_they_are_missing(
    brokers: str, cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    topics = [{"name": f"{cluster.topic}-new", "partitions": PARTITIONS, "replication_factor": 1}]
    group = Group(cluster, account, tmp_path, KAFKA_CREATE_TOPICS=json.dumps(topics))
    cluster.put_numbers(0, 4, keys=2)
    with group.worker():
        group.wait_for_effects(4)
    assert f"{cluster.topic}-new" in cluster.producer.list_topics(timeout=10).topics
