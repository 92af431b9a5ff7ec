"""The client engine on the embedded AWS: what arrives, how, and what the report says."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.messages import FAILURE, REPLAY_COUNT, Failure
from ops.actions.replay.journal_store import JournalStore
from ops.errors import OpsError
from tests.faults.proxy import Fault, FaultsProxy, Request
from tests.ops.scene import Scene, numbered


def _failure(queue_arn: str) -> dict[str, Any]:
    failure = Failure(
        error="KeyError",
        message="'city'",
        receive_count=5,
        retryable=True,
        queue_arn=queue_arn,
        failed_at=datetime.now(UTC).isoformat(),
    )
    return {"DataType": "String", "StringValue": failure.to_json()}


def test_everything_moves_and_the_numbers_add_up(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(137))

    report = scene.replay(dlq, origin)

    assert (report.found, report.moved, report.left, report.failed, report.skipped) == (137, 137, 0, 0, 0)
    assert report.duplicates_possible == 0
    assert report.complete
    assert sorted(scene.bodies(origin)) == sorted(numbered(137))
    assert scene.counts(dlq) == (0, 0)
    assert scene.journals() == []


def test_an_empty_queue_is_done_at_once(scene: Scene) -> None:
    report = scene.replay(scene.queue("orders-dlq"), scene.queue("orders"))

    assert (report.found, report.moved, report.left, report.complete) == (0, 0, 0, True)


def test_body_attributes_of_every_type_group_and_trace_header_arrive(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    attributes = {
        "text": {"DataType": "String", "StringValue": "überraschung"},
        "count": {"DataType": "Number", "StringValue": "12.5"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff\x10"},
        "custom": {"DataType": "Number.int", "StringValue": "7"},
        "image": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"},
        FAILURE: _failure("arn:aws:sqs:ap-southeast-2:123456789012:elsewhere"),
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    scene.sqs.send_message(
        QueueUrl=dlq,
        MessageBody='{"pizza": "Ñandú"}',
        MessageAttributes=attributes,
        MessageGroupId="tenant-1",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )

    batches: list[dict[str, Any]] = []

    def keep(request: Request) -> bool:
        batches.append(json.loads(request.body))
        return True

    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("SendMessageBatch", Fault.DELAYED, seconds=0, when=keep)
        scene.replay(dlq, origin)

    [message] = scene.drain(origin)
    assert message["Body"] == '{"pizza": "Ñandú"}'
    got = message["MessageAttributes"]
    assert got.pop(REPLAY_COUNT) == {"DataType": "Number", "StringValue": "1"}
    del attributes[FAILURE]
    assert got == attributes
    assert message["Attributes"]["MessageGroupId"] == "tenant-1"
    # Asserted on the request: MiniStack's SendMessageBatch, unlike its SendMessage, forgets system attributes.
    assert batches[0]["Entries"][0]["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == trace


def test_a_message_with_ten_attributes_keeps_them_all_and_is_not_counted(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    attributes = {f"a{n}": {"DataType": "String", "StringValue": str(n)} for n in range(10)}
    scene.sqs.send_message(QueueUrl=dlq, MessageBody="full", MessageAttributes=attributes)

    scene.replay(dlq, origin)

    [message] = scene.drain(origin)
    assert message["MessageAttributes"] == attributes


def test_large_messages_are_split_into_batches_of_one_mebibyte(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    attribute = {"pad": {"DataType": "String", "StringValue": "y" * 50_000}}
    for n in range(10):
        scene.sqs.send_message(QueueUrl=dlq, MessageBody=f"{n}" + "x" * 200_000, MessageAttributes=attribute)

    report = scene.replay(dlq, origin)

    assert (report.moved, report.failed) == (10, 0)
    assert {body[0] for body in scene.bodies(origin)} == set("0123456789")


def test_a_message_of_exactly_one_mebibyte_moves_without_the_count(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.sqs.send_message(QueueUrl=dlq, MessageBody="x" * 1_048_576)

    report = scene.replay(dlq, origin)

    [message] = scene.drain(origin)
    assert report.moved == 1
    assert "MessageAttributes" not in message


def test_each_message_goes_to_its_own_origin(scene: Scene) -> None:
    dlq = scene.queue("shared-dlq")
    origins = [scene.queue(f"origin-{n}") for n in range(3)]
    for n, origin in enumerate(origins[:2]):
        scene.redrive(origin, dlq)
        scene.fill(origin, numbered(4, f"redriven-{n}-"))
        scene.dead_letter(origin, 4)
    worker_sent = {FAILURE: _failure(scene.arn(origins[2]))}
    scene.fill(dlq, numbered(3, "worker-"), MessageAttributes=worker_sent)

    report = scene.replay(dlq)

    assert report.moved == 11
    assert report.destinations == {"origin-0": 4, "origin-1": 4, "origin-2": 3}
    # Read without receiving from the first two: a receive there dead-letters again.
    assert [scene.counts(origin)[0] for origin in origins] == [4, 4, 3]
    assert all(FAILURE not in m.get("MessageAttributes", {}) for m in scene.drain(origins[2]))


def test_a_message_that_does_not_say_goes_where_the_manifest_says(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(5))

    report = scene.replay(dlq, manifest_origin=scene.arn(origin))

    assert report.destinations == {"orders": 5}


def test_without_any_origin_a_message_stays_and_the_report_says_how_to_name_one(scene: Scene) -> None:
    dlq = scene.queue("orders-dlq")
    scene.fill(dlq, numbered(5))

    report = scene.replay(dlq)

    assert (report.found, report.moved, report.skipped, report.left) == (5, 0, 5, 0)
    assert not report.complete
    [reason] = report.reasons
    assert "--to URL" in reason
    assert scene.counts(dlq) == (5, 0)


def test_an_origin_that_is_gone_fails_its_messages_and_no_others(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    gone = scene.arn(origin).replace(":orders", ":deleted")
    scene.fill(dlq, numbered(3, "gone-"), MessageAttributes={FAILURE: _failure(gone)})
    scene.fill(dlq, numbered(4, "here-"), MessageAttributes={FAILURE: _failure(scene.arn(origin))})

    report = scene.replay(dlq)

    assert (report.moved, report.failed) == (4, 3)
    assert sorted(scene.bodies(origin)) == numbered(4, "here-")
    assert sorted(scene.bodies(dlq)) == numbered(3, "gone-")


def test_the_count_grows_and_a_poison_message_is_refused_at_the_limit(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.redrive(origin, dlq)
    scene.fill(dlq, ["poison"])

    for expected in ("1", "2"):
        assert scene.replay(dlq, origin, max_replays=2).moved == 1
        got = scene.sqs.receive_message(QueueUrl=origin, MessageAttributeNames=["All"], VisibilityTimeout=0)
        assert got["Messages"][0]["MessageAttributes"][REPLAY_COUNT]["StringValue"] == expected
        scene.sqs.receive_message(QueueUrl=origin)
    refused = scene.replay(dlq, origin, max_replays=2)

    assert (refused.moved, refused.skipped) == (0, 1)
    assert "--max-replays 3" in next(iter(refused.reasons))
    assert scene.replay(dlq, origin, max_replays=3).moved == 1


def test_what_comes_back_during_the_run_is_not_chased(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(40))
    stopped, came_back = threading.Event(), threading.Event()
    client = scene.account.client("sqs")

    def broken_consumer() -> None:
        while not stopped.is_set():
            got = client.receive_message(QueueUrl=origin, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in got.get("Messages", []):
                client.send_message(QueueUrl=dlq, MessageBody=message["Body"])
                came_back.set()
                client.delete_message(QueueUrl=origin, ReceiptHandle=message["ReceiptHandle"])

    def until_something_is_back(request: Request) -> None:
        assert came_back.wait(60)

    consumer = threading.Thread(target=broken_consumer)
    consumer.start()
    try:
        with FaultsProxy(scene.account.endpoint_url) as proxy:
            scene.through(proxy.url)
            # The run hears so late of its first send that it cannot end before.
            proxy.inject("SendMessageBatch", Fault.DELAYED, seconds=0, then=until_something_is_back)
            report = scene.replay(dlq, origin, rate=40, concurrency=2)
    finally:
        stopped.set()
        consumer.join()

    assert (report.found, report.moved) == (40, 40)
    assert scene.counts(dlq)[0] > 0, "the consumer put nothing back: the test proves nothing"


def test_messages_sent_after_the_start_are_left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(5))
    # The run believes to have started a minute ago, so that everything here is late.
    monkeypatch.setattr("ops.actions.queues._server_time_ms", lambda answer: int((time.time() - 60) * 1000))

    report = scene.replay(dlq, origin)

    assert (report.found, report.moved, report.late, report.left) == (5, 0, 5, 5)
    assert not report.complete
    assert scene.counts(dlq) == (5, 0)


def test_max_takes_so_many_and_counts_as_done(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(30))

    report = scene.replay(dlq, origin, max_messages=12)

    assert (report.found, report.moved, report.left, report.complete) == (30, 12, 18, True)
    assert scene.counts(dlq) == (18, 0)


def test_a_dry_run_moves_nothing_and_gives_everything_back(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(25))

    report = scene.replay(dlq, origin, dry_run=True)

    assert (report.found, report.moved, report.left) == (25, 0, 25)
    assert report.destinations == {"orders": 25}
    assert scene.counts(dlq) == (25, 0)
    assert scene.counts(origin) == (0, 0)


def test_held_messages_stay_invisible_for_longer_than_one_visibility_timeout(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(3))
    seen_elsewhere: list[str] = []
    entered, release = threading.Event(), threading.Event()

    class Slow:
        """The origin's client: the first send takes longer than the visibility of what is being sent."""

        def __init__(self, client: Any) -> None:
            self._client = client
            self.meta = client.meta

        def send_message_batch(self, **request: Any) -> Any:
            entered.set()
            release.wait(60)
            return self._client.send_message_batch(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

    from ops.aws import Aws

    original = Aws.sqs_without_retries
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "sqs_without_retries", lambda self, region=None: Slow(original(self, region)))
        reports: list[Any] = []
        run = threading.Thread(
            target=lambda: reports.append(scene.replay(dlq, origin, visibility_timeout_seconds=5, concurrency=1))
        )
        run.start()
        assert entered.wait(30)
        until = time.monotonic() + 6
        while time.monotonic() < until:
            got = scene.sqs.receive_message(QueueUrl=dlq, VisibilityTimeout=0, WaitTimeSeconds=1)
            seen_elsewhere += [message["Body"] for message in got.get("Messages", [])]
        release.set()
        run.join()

    assert seen_elsewhere == []
    assert reports[0].moved == 3


def test_a_second_run_on_the_same_queue_says_who_holds_it(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, ["one"])
    store = JournalStore(scene.state / "replay", scene.arn(dlq), scene.account.endpoint_url)

    with store.locked("run-a"), pytest.raises(OpsError, match=r"another replay of .*orders-dlq.*run run-a"):
        scene.replay(dlq, origin)

    assert scene.replay(dlq, origin).moved == 1


def test_a_rate_is_kept(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(30))

    report = scene.replay(dlq, origin, rate=25)

    assert report.moved == 30
    # 30 messages at 25 a second: the last slot begins after 20 of them at the earliest.
    assert report.seconds >= 20 / 25


def test_an_unwritable_journal_folder_stops_the_run_before_anything_is_taken(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, ["one"])
    scene.state.parent.mkdir(exist_ok=True)
    scene.state.write_text("a file where the folder should be")

    with pytest.raises(OpsError, match="journal folder"):
        scene.replay(dlq, origin)

    assert scene.counts(dlq) == (1, 0)


def test_a_full_disk_ends_the_run_and_gives_everything_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(50))
    write, records = os.write, iter(range(10_000))

    def full(file: int, data: bytes) -> int:
        if data.lstrip().startswith(b'{"record"') and next(records) > 6:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr("os.write", full)
    report = scene.replay(dlq, origin, concurrency=1)
    monkeypatch.undo()

    assert "No space left on device" in report.error
    assert 0 < report.moved < 50
    assert scene.counts(dlq) == (50 - report.moved, 0)
    assert scene.counts(origin)[0] == report.moved


def test_undelivered_events_go_to_the_rules_own_target_transformed(scene: Scene) -> None:
    dlq, origin, other = scene.queue("events-dlq"), scene.queue("orders"), scene.queue("other")
    events = scene.account.client("events")
    events.create_event_bus(Name="pizza")
    rule = events.put_rule(Name="orders", EventBusName="pizza", EventPattern='{"source": ["pizza"]}')["RuleArn"]
    transformer = {
        "InputPathsMap": {"city": "$.detail.data.city"},
        "InputTemplate": '{"city": <city>, "from": "<aws.events.rule-name>"}',
    }
    events.put_targets(
        Rule="orders",
        EventBusName="pizza",
        Targets=[
            {"Id": "a", "Arn": scene.arn(origin), "InputTransformer": transformer},
            {"Id": "b", "Arn": scene.arn(other)},
        ],
    )
    event = {"source": "pizza", "detail-type": "OrderCreated", "detail": {"data": {"city": "Perth"}}}
    names = {"RULE_ARN": rule, "TARGET_ARN": scene.arn(origin), "ERROR_CODE": "NO_PERMISSIONS"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in names.items()}
    scene.fill(dlq, [json.dumps(event)], MessageAttributes=attributes)
    batch_arn = f"arn:aws:batch:ap-southeast-2:{scene.account.id}:job-queue/j"
    to_batch = attributes | {"TARGET_ARN": {"DataType": "String", "StringValue": batch_arn}}
    events.put_targets(Rule="orders", EventBusName="pizza", Targets=[{"Id": "c", "Arn": batch_arn}])
    scene.fill(dlq, [json.dumps(event)], MessageAttributes=to_batch)

    report = scene.replay(dlq)

    assert (report.moved, report.skipped) == (1, 1)
    [message] = scene.drain(origin)
    assert json.loads(message["Body"]) == {"city": "Perth", "from": "orders"}
    assert set(message["MessageAttributes"]) == {REPLAY_COUNT}
    assert scene.counts(other) == (0, 0)
    assert "of a kind that replay-dlq cannot send to" in next(iter(report.reasons))
