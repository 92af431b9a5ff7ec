"""Real worker processes on the embedded AWS."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from tests.emulator import Account
from tests.faults.proxy import ANY, Fault, FaultsProxy
from tests.worker.stream.support import Application, Stream, envelope, wait_for
from tests.worker.support import ORDER


def test_every_record_is_handled_once_and_each_key_in_order(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=2)
    application = Application(stream, tmp_path, LEASE_SECONDS="10")
    stream.put_numbers(0, 60, keys=7)
    with application.worker() as worker:
        application.wait_for_effects(60)
    assert worker.outcomes() == {"handled": 60}
    assert application.attempts() == {f"k{n}": 1 for n in range(60)}
    assert application.order() == {f"g{k}": list(range(k, 60, 7)) for k in range(7)}
    assert application.holders() == {}
    with application.worker() as worker:
        wait_for("both shards", lambda: len(application.holders()) == 1 and application.holders().total() == 2)
        stream.put([("g0", envelope("new", group="g0", number=60))])
        application.wait_for_effects(61)
    assert worker.outcomes() == {"handled": 1}  # the checkpoint of the first worker holds


def test_a_killed_worker_is_replaced_and_a_newcomer_gets_its_share(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=4)
    application = Application(stream, tmp_path)
    first = application.start()
    second = None
    try:
        wait_for("all four shards", lambda: list(application.holders().values()) == [4])
        second = application.start()
        wait_for("two each", lambda: sorted(application.holders().values()) == [2, 2], 40)
        first.kill()
        wait_for("all four again", lambda: list(application.holders().values()) == [4], 40)
        assert "handing a shard over" in first.text()
        assert "took over a shard" in second.text()
        assert second.stop() == 0
        assert application.holders() == {}
    finally:
        first.kill()
        if second:
            second.kill()


def test_two_applications_see_every_record(account: Account, tmp_path: Path) -> None:
    stream = Stream(account)
    one = Application(stream, tmp_path / "one", "one")
    other = Application(stream, tmp_path / "other", "other")
    stream.put_numbers(0, 40, keys=5)
    with one.worker(), other.worker():
        one.wait_for_effects(40)
        other.wait_for_effects(40)
    assert one.attempts() == other.attempts() == {f"k{n}": 1 for n in range(40)}


def test_poison_holds_its_key_back_for_its_attempts_and_nobody_else(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(stream, tmp_path, LEASE_SECONDS="10")
    poison = envelope("hopeless", fail=99, gate=3, group="bad", number=0)
    answers = stream.put(
        [
            ("bad", poison),
            ("bad", envelope("after", group="bad", number=1)),
            ("bad", "no event at all"),
            ("bad", envelope("refused", poison=True, group="bad", number=2)),
            *((f"g{n}", envelope(f"k{n}", group=f"g{n}", number=n)) for n in range(20)),
        ]
    )
    with application.worker() as worker:
        application.wait_for_effects(20)  # the other keys do not wait for the retries
        application.open_gate()
        application.wait_for_effects(21)
        wait_for("three letters", lambda: len(_collect(application)) >= 3)
        wait_for(
            "the last checkpoint",
            lambda: application.leases()[answers[0]["ShardId"]]["checkpoint"] == answers[-1]["SequenceNumber"],
        )
    assert worker.outcomes() == {"handled": 21, "retry": 2, "dead-lettered": 3}
    assert application.attempts()["hopeless"] == 3
    ends = [call["key"] for call in application.calls("end")]
    assert ends[-1] == "after"
    by_number = {}
    for letter in application.collected:
        position = StreamPosition.from_json(letter["MessageAttributes"][STREAM_POSITION]["StringValue"])
        failure = Failure.from_json(letter["MessageAttributes"][FAILURE]["StringValue"])
        assert position is not None
        assert failure is not None
        assert (position.stream_arn, position.shard_id) == (stream.arn, answers[0]["ShardId"])
        assert (position.partition_key, position.body, failure.queue_arn) == ("bad", RecordBody.TEXT, stream.arn)
        by_number[position.sequence_number] = (letter["Body"], failure)
    body, failure = by_number[answers[0]["SequenceNumber"]]
    assert body == poison
    assert (failure.error, failure.receive_count, failure.retryable) == ("RuntimeError", 3, True)
    body, failure = by_number[answers[2]["SequenceNumber"]]
    assert (body, failure.error, failure.retryable) == ("no event at all", "EventError", False)
    assert by_number[answers[3]["SequenceNumber"]][1].error == "NonRetryableError"


def test_an_event_against_its_schema_is_in_the_on_failure_queue_at_once(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(stream, tmp_path, LEASE_SECONDS="10")
    stream.put([("bad", envelope("bad", group="bad", number=0)), ("good", envelope("good", **ORDER))])
    with application.worker(CHECK_SCHEMAS="true") as worker:
        application.wait_for_effects(1)
        wait_for("the dead letter", lambda: _collect(application))
    assert worker.outcomes() == {"handled": 1, "dead-lettered": 1}
    assert application.attempts() == {"good": 1}  # the handler never saw the other one
    (letter,) = application.collected
    failure = Failure.from_json(letter["MessageAttributes"][FAILURE]["StringValue"])
    assert failure is not None
    assert (failure.error, failure.receive_count, failure.retryable) == ("SchemaMismatchError", 1, False)
    assert "'channel-id' is a required property" in failure.message


def _collect(application: Application) -> list[dict[str, Any]]:
    application.collected += application.dead_letters()
    return application.collected


def test_sigterm_finishes_what_is_begun_and_lets_go(account: Account, tmp_path: Path) -> None:
    stream = Stream(account)
    application = Application(stream, tmp_path)
    stream.put_numbers(0, 60, keys=30, seconds=0.2, gate=1)
    worker = application.start()
    try:
        wait_for("some work", lambda: len(application.calls()) == 4)
        worker.begin_to_stop()
        application.open_gate()
        assert worker.process.wait(60) == 0, worker.text()
    finally:
        worker.kill()
    begun = {call["key"] for call in application.calls()}
    assert begun == application.effects()
    assert len(begun) < 60
    assert application.holders() == {}
    with application.worker(CONCURRENCY="20"):
        application.wait_for_effects(60)
    assert application.attempts() == {f"k{n}": 1 for n in range(60)}


def test_work_longer_than_the_stop_timeout_is_told_and_free_at_once(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(stream, tmp_path, LEASE_SECONDS="60")
    stream.put([("g", envelope("endless", seconds=60, group="g", number=0))])
    worker = application.start(STOP_TIMEOUT_SECONDS="2")
    try:
        wait_for("the work to begin", application.calls)
        assert worker.stop() == 3
    finally:
        worker.kill()
    assert application.holders() == {}
    assert application.dynamodb.scan(TableName="clicks-keys")["Items"] == []


def test_long_work_keeps_its_shard(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(stream, tmp_path, LEASE_SECONDS="6")
    stream.put([("g", envelope("long", seconds=9, group="g", number=0))])
    with application.worker(), application.worker():
        application.wait_for_effects(1)
    assert application.attempts() == {"long": 1}


def test_a_record_that_kills_its_workers_ends_in_the_on_failure_queue(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(
        stream, tmp_path, STREAM_BATCH_SIZE="2", MAX_ATTEMPTS="1", CONCURRENCY="1", LEASE_SECONDS="2"
    )
    stream.put_numbers(0, 3, keys=3)
    stream.put([("bomb", envelope("bomb", kills=True, group="bomb", number=0))])
    stream.put_numbers(4, 6, keys=2)
    crashes = 0
    worker = application.start()
    try:
        while len(application.effects()) < 5:
            if worker.process.poll() is not None:
                crashes += 1
                assert crashes < 12, "the record is never given up"
                worker = application.start()
            time.sleep(0.05)
        (letter,) = wait_for("the letter", application.dead_letters)
        assert worker.stop() == 0
    finally:
        worker.kill()
    failure = Failure.from_json(letter["MessageAttributes"][FAILURE]["StringValue"])
    assert failure is not None
    assert failure.error == "WorkerCrashedError"
    assert '"bomb"' in letter["Body"]
    assert application.effects() == {"k0", "k1", "k2", "k4", "k5"}
    assert crashes >= 3


def test_latest_begins_with_what_comes(account: Account, tmp_path: Path) -> None:
    stream = Stream(account)
    application = Application(stream, tmp_path, START_POSITION="LATEST")
    stream.put_numbers(0, 10, keys=5)
    time.sleep(0.05)  # arrival times and the worker's clock are compared in milliseconds
    with application.worker():
        wait_for("both shards", lambda: application.holders().total() == 2)
    stream.put_numbers(10, 20, keys=5)  # while nobody runs
    with application.worker():
        application.wait_for_effects(10)
    assert application.effects() == {f"k{n}" for n in range(10, 20)}


def test_an_enhanced_consumer_is_pushed_to(account: Account, tmp_path: Path) -> None:
    stream = Stream(account)
    consumer = stream.kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="fast")["Consumer"]
    application = Application(stream, tmp_path, STREAM_CONSUMER_ARN=consumer["ConsumerARN"])
    stream.put_numbers(0, 30, keys=5)
    with application.worker():
        application.wait_for_effects(30)
        stream.put_numbers(30, 60, keys=5)
        application.wait_for_effects(60)
    with application.worker():  # takes the subscriptions over
        stream.put_numbers(60, 70, keys=5)
        application.wait_for_effects(70)
    assert application.attempts() == {f"k{n}": 1 for n in range(70)}
    assert application.order() == {f"g{k}": list(range(k, 70, 5)) for k in range(5)}


@pytest.mark.parametrize("enhanced", [False, True], ids=["polling", "enhanced"])
def test_resharding_under_load_keeps_the_order_of_each_key(account: Account, tmp_path: Path, enhanced: bool) -> None:
    """2 → 4 → 2 shards while records come in: a key moves to another shard, and its later records wait for the earlier."""
    stream = Stream(account)
    application = Application(stream, tmp_path)
    if enhanced:
        consumer = stream.kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="fast")["Consumer"]
        application.environment["STREAM_CONSUMER_ARN"] = consumer["ConsumerARN"]
    with application.worker(), application.worker():
        for number in range(12):
            stream.put_numbers(number * 50, (number + 1) * 50, keys=20, seconds=0.005)
            if number in (3, 7):
                stream.kinesis.update_shard_count(
                    StreamName="clicks", TargetShardCount=4 if number == 3 else 2, ScalingType="UNIFORM_SCALING"
                )
        application.wait_for_effects(600, 90)
        # 2 parents, 4 children, 2 grandchildren: the first six have ended, and their leases say so.
        wait_for(
            "six ended shards",
            lambda: [lease["checkpoint"] for lease in application.leases().values()].count("SHARD_END") == 6,
        )
        assert len(application.leases()) == 8
        assert application.holders().total() <= 2
    assert application.attempts() == {f"k{n}": 1 for n in range(600)}
    assert application.order() == {f"g{k}": list(range(k, 600, 20)) for k in range(20)}


def test_a_stop_of_the_lease_table_stops_the_work_and_loses_nothing(account: Account, tmp_path: Path) -> None:
    stream = Stream(account)
    application = Application(stream, tmp_path)
    with (
        FaultsProxy(account.endpoint_url) as proxy,
        application.worker(AWS_ENDPOINT_URL_DYNAMODB=proxy.url) as worker,
    ):
        wait_for("both shards", lambda: application.holders().total() == 2)
        lost = worker.text().count("lost a shard")
        proxy.inject(ANY, Fault.UNAVAILABLE, times=None)
        wait_for("the leases to lapse", lambda: worker.text().count("lost a shard") >= lost + 2)
        stream.put_numbers(0, 10, keys=5)
        assert application.calls() == []
        proxy.heal()
        application.wait_for_effects(10)
    assert application.attempts() == {f"k{n}": 1 for n in range(10)}


def test_errors_of_kinesis_and_of_the_on_failure_queue_are_never_final(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=1)
    application = Application(stream, tmp_path, LEASE_SECONDS="10")
    with FaultsProxy(account.endpoint_url) as proxy:
        proxy.inject("ListShards", Fault.EXPIRED_TOKEN, times=2)
        proxy.inject("GetShardIterator", Fault.ACCESS_DENIED, times=2)
        proxy.inject("GetRecords", Fault.DROPPED_AFTER, times=4)
        proxy.inject("SendMessage", Fault.ACCESS_DENIED, times=3)
        stream.put([("g", "no event"), ("g", envelope("next", group="g", number=1))])
        with application.worker(AWS_ENDPOINT_URL_KINESIS=proxy.url, AWS_ENDPOINT_URL_SQS=proxy.url) as worker:
            application.wait_for_effects(1)
    assert worker.outcomes() == {"dead-lettered": 1, "handled": 1}
    assert len(application.dead_letters()) == 1
    assert proxy.faults == {
        Fault.EXPIRED_TOKEN: 2,
        Fault.ACCESS_DENIED: 5,
        Fault.DROPPED_AFTER: 4,
    }
