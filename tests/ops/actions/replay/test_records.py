"""Records of on-failure queues go back into their stream, for the application that could not handle them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.events import Event
from contracts.messages import REPLAY, STREAM_POSITION, Failure, RecordBody, StreamPosition
from ops.actions.replay.destinations.base import Refusal
from ops.actions.replay.records import marked
from ops.exit_codes import ExitCode
from tests.ops.actions.replay.targets import event
from tests.ops.scene import Scene
from tests.worker.stream.support import Application, Stream, envelope, wait_for
from worker.sources.stream.on_failure import message_of
from worker.sources.stream.records import Record


def _failure(stream_arn: str) -> Failure:
    return Failure(
        error="KeyError", message="'x'", receive_count=3, retryable=True, queue_arn=stream_arn, failed_at="2026-11-27"
    )


def _dead_letter(scene: Scene, dlq: str, stream: Stream, put: dict[str, Any], key: str, data: bytes, app: str) -> None:
    """What a worker sends to its on-failure queue."""
    record = Record(sequence_number=put["SequenceNumber"], partition_key=key, data=data, arrived_at=datetime.now(UTC))
    message = message_of(record, put["ShardId"], stream.arn, _failure(stream.arn), app)
    scene.sqs.send_message(QueueUrl=dlq, **message)


def _records(stream: Stream) -> list[dict[str, Any]]:
    found = []
    for shard in stream.kinesis.list_shards(StreamARN=stream.arn)["Shards"]:
        iterator = stream.kinesis.get_shard_iterator(
            StreamARN=stream.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += stream.kinesis.get_records(ShardIterator=iterator)["Records"]
    return found


def test_a_mark_names_the_application_counts_and_changes_nothing_else() -> None:
    data = json.dumps(event(1)).encode()

    once = marked(data, "billing", 3)
    assert isinstance(once, bytes)
    assert json.loads(once) == {**event(1), REPLAY: {"for": "billing", "count": 1}}
    assert Event.from_json(once.decode()).replay_for == "billing"
    again = marked(once, "billing", 3)
    assert isinstance(again, bytes)
    assert json.loads(again)[REPLAY]["count"] == 2
    # Another application counts for itself.
    other = marked(again, "search", 3)
    assert isinstance(other, bytes)
    assert json.loads(other)[REPLAY] == {"for": "search", "count": 1}
    refused = marked(again, "billing", 2)
    assert isinstance(refused, Refusal)
    assert "pass --max-replays 3" in refused.reason


@pytest.mark.parametrize("mark", [None, "billing", {"for": 1}, {"count": "x"}, {"for": "billing", "count": "x"}, []])
def test_a_mark_that_somebody_else_wrote_does_no_harm(mark: Any) -> None:
    found = marked(json.dumps({**event(1), REPLAY: mark}).encode(), "billing", 1)

    assert isinstance(found, bytes)
    assert json.loads(found)[REPLAY] == {"for": "billing", "count": 1}
    assert Event.from_envelope({**event(1), REPLAY: mark}).replay_for in ("", "billing")


def test_records_go_back_under_their_keys_from_the_copy_or_from_the_stream(scene: Scene) -> None:
    stream, dlq = Stream(scene.account, shards=2), scene.queue("billing-dlq")
    # GIVEN small events, whose copies are in the messages, and one that is too large for a message
    small = [(f"g{n}", json.dumps(event(n))) for n in range(20)]
    large = ("g0", json.dumps({**event(99), "padding": "x" * 1_040_000}))
    answers = stream.put([*small, large])
    for (key, data), put in zip([*small, large], answers, strict=True):
        _dead_letter(scene, dlq, stream, put, key, data.encode(), "billing")

    # WHEN they are replayed
    report = scene.replay(dlq, manifest_origin=stream.arn)

    # THEN each is there a second time, under its key and marked
    assert (report.found, report.moved, report.skipped, report.failed) == (21, 21, 0, 0), report.reasons
    assert report.destinations == {"stream clicks": 21}
    records = _records(stream)
    assert len(records) == 42
    again = [(one["PartitionKey"], json.loads(one["Data"])) for one in records if REPLAY in json.loads(one["Data"])]
    expected = [(key, {**json.loads(data), REPLAY: {"for": "billing", "count": 1}}) for key, data in [*small, large]]
    assert sorted(again, key=lambda one: one[1]["id"]) == sorted(expected, key=lambda one: one[1]["id"])


def test_what_cannot_go_back_for_one_application_stays_with_the_reason(scene: Scene) -> None:
    stream, dlq = Stream(scene.account, shards=1), scene.queue("billing-dlq")
    [put] = stream.put([("g", "x")])
    _dead_letter(scene, dlq, stream, put, "g", b"no event", "billing")
    _dead_letter(scene, dlq, stream, put, "g", b"\xff\x00", "billing")
    _dead_letter(scene, dlq, stream, put, "g", json.dumps(event(1)).encode(), "")
    gone = StreamPosition(
        stream_arn=stream.arn,
        shard_id=put["ShardId"],
        sequence_number="9" * 56,
        partition_key="g",
        arrived_at="2026-11-20T10:00:00Z",
        body=RecordBody.REFERENCE,
        application="billing",
    )
    attribute = {STREAM_POSITION: {"DataType": "String", "StringValue": gone.to_json()}}
    scene.fill(dlq, [gone.to_json()], MessageAttributes=attribute)

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--yes", "--output", "json")

    assert ran.code == ExitCode.PARTLY
    assert (ran.last["moved"], ran.last["skipped"], ran.last["failed"]) == (0, 3, 1)
    assert scene.counts(dlq) == (4, 0)
    assert len(_records(stream)) == 1
    reasons = " | ".join(ran.last["queues"][0]["reasons"])
    for part in ("it is no JSON object", "does not say which application", "the stream no longer has record 9999"):
        assert part in reasons


def test_a_binary_copy_is_put_back_byte_by_byte(scene: Scene) -> None:
    stream, dlq = Stream(scene.account, shards=1), scene.queue("billing-dlq")
    [put] = stream.put([("g", "x")])
    data = json.dumps(event(1)).encode()
    position = StreamPosition(
        stream_arn=stream.arn,
        shard_id=put["ShardId"],
        sequence_number=put["SequenceNumber"],
        partition_key="g",
        arrived_at="2026-11-20T10:00:00Z",
        body=RecordBody.BASE64,
        application="billing",
    )
    attribute = {STREAM_POSITION: {"DataType": "String", "StringValue": position.to_json()}}
    scene.fill(dlq, [base64.b64encode(data).decode()], MessageAttributes=attribute)

    assert scene.replay(dlq).moved == 1

    assert {**event(1), REPLAY: {"for": "billing", "count": 1}} in [
        json.loads(one["Data"]) for one in _records(stream)[1:]
    ]


@pytest.mark.soak
def test_only_the_application_that_failed_handles_a_replayed_record(scene: Scene, tmp_path: Path) -> None:
    stream = Stream(scene.account, shards=2)
    # GIVEN an application that fails on some events until it is mended, and another one that handles all, and is told
    # to forget what it handled: only the mark keeps it from handling them again
    failing = Application(stream, tmp_path / "failing", "failing")
    forgetful = Application(stream, tmp_path / "forgetful", "forgetful", IDEMPOTENCY_ENABLED="false")
    stream.put([(f"g{n}", envelope(f"k{n}", group=f"g{n}", number=n, fail=3)) for n in range(4)])
    stream.put_numbers(4, 20, keys=3)
    with failing.worker() as worker:
        failing.wait_for_effects(16)
        wait_for("four dead letters", lambda: scene.counts(failing.dlq_url)[0] == 4)
        wait_for("four outcomes", lambda: worker.outcomes()["dead-lettered"] == 4)  # told after the message is sent
        before = failing.attempts()
        # WHEN what it could not handle is replayed (the handler fails three times for each key, then it works)
        report = scene.replay(failing.dlq_url)
        assert (report.moved, report.destinations) == (4, {"stream clicks": 4})
        failing.wait_for_effects(20)
        # THEN it handles them, once
        after = failing.attempts()
        assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
            f"k{n}": 1 for n in range(4)
        }
    # AND the other application passes over the replayed records
    with forgetful.worker() as worker:
        wait_for("all records read", lambda: worker.outcomes().get("skipped", 0) == 4)
    assert worker.outcomes()["skipped"] == 4
    assert not set(forgetful.attempts()) - {f"k{n}" for n in range(20)}
