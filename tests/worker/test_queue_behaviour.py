"""Real worker processes on the embedded AWS."""

from __future__ import annotations

import functools
import json
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

from contracts.messages import FAILURE, Failure
from tests.emulator import Account
from tests.worker.support import Shop, envelope, wait_for


def test_every_message_of_several_batches_is_handled_once_and_deleted(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    keys = [f"k{number}" for number in range(35)]
    shop.send([envelope(key, returns={"baked": key}) for key in keys])
    with shop.worker(CONCURRENCY="4") as worker:
        shop.wait_until_empty()
    assert worker.outcomes() == {"handled": 35}
    assert shop.attempts() == dict.fromkeys(keys, 1)
    assert sorted(record["data"]["S"] for record in shop.records()) == sorted(f'{{"baked": "{key}"}}' for key in keys)
    line = next(line for line in worker.lines() if line.get("outcome") == "handled")
    expected = {"pattern", "message_id", "receive_count", "event_id", "event_type", "idempotency_key", "duration_ms"}
    assert expected <= line.keys()


def test_only_what_failed_comes_back_whatever_its_group_on_a_standard_queue(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    bodies = [envelope(f"k{number}", fail=1 if number in (2, 5, 7) else 0) for number in range(10)]
    shop.send(bodies, groups=["tenant"] * 10)
    with shop.worker(CONCURRENCY="3") as worker:
        shop.wait_until_empty()
    assert shop.attempts() == {f"k{number}": 2 if number in (2, 5, 7) else 1 for number in range(10)}
    assert worker.outcomes() == {"handled": 10, "retry": 3}


def test_copies_of_an_event_are_handled_once_also_at_the_same_time(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    shop.send([envelope("same", seconds=0.5) for _ in range(6)])
    with shop.worker(CONCURRENCY="3"), shop.worker(CONCURRENCY="3"):
        wait_for("the effect", shop.effects)
        shop.send([envelope("same")])
        shop.wait_until_empty(90)
    assert shop.attempts() == {"same": 1}
    assert shop.dead_letters() == []


def test_without_a_table_every_copy_is_handled(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    shop.send([envelope("same"), envelope("same")])
    with shop.worker(IDEMPOTENCY_TABLE=""):
        shop.wait_until_empty()
    assert shop.attempts() == {"same": 2}


def test_poison_is_dead_lettered_with_the_reason_and_all_that_came_with_it(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, max_receive_count=2)
    attributes: dict[str, dict[str, Any]] = {
        "tenant": {"DataType": "String", "StringValue": "ünì"},
        "size": {"DataType": "Number", "StringValue": "3"},
        "image": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    body = envelope("refused", poison=True)
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    shop.sqs.send_message(
        QueueUrl=shop.url,
        MessageBody=body,
        MessageAttributes=attributes,
        MessageSystemAttributes=trace,
        MessageGroupId="tenant-1",
    )
    shop.send([envelope("hopeless", fail=99), "no event at all"])
    with shop.worker() as worker:
        shop.wait_until_empty()
    assert worker.outcomes() == {"dead-lettered": 3, "retry": 1}
    letters = {message["Body"]: message for message in shop.dead_letters()}
    refused = letters.pop(body)
    reason = Failure.from_json(refused["MessageAttributes"].pop(FAILURE)["StringValue"])
    assert reason is not None
    assert (reason.error, reason.retryable, reason.receive_count) == ("NonRetryableError", False, 1)
    assert (reason.message, reason.queue_arn) == ("poison in refused:  no \x01 pineapple", shop.arn)
    assert {
        name: {field: value[field] for field in attributes[name]}
        for name, value in refused["MessageAttributes"].items()
    } == attributes
    assert refused["Attributes"]["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert refused["Attributes"]["MessageGroupId"] == "tenant-1"
    garbage = Failure.from_json(letters.pop("no event at all")["MessageAttributes"][FAILURE]["StringValue"])
    assert garbage is not None
    assert (garbage.error, garbage.retryable) == ("EventError", False)
    (hopeless,) = letters.values()
    reason = Failure.from_json(hopeless["MessageAttributes"][FAILURE]["StringValue"])
    assert reason is not None
    assert (reason.error, reason.message, reason.retryable) == ("RuntimeError", "failure 2 of hopeless", True)
    assert reason.receive_count == 2
    assert shop.records() == []  # a failed event can be replayed


def test_without_a_dead_letter_queue_url_poison_is_left_to_the_redrive_policy(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, max_receive_count=1)
    shop.send([envelope("refused", poison=True)])
    with shop.worker(DEAD_LETTER_QUEUE_URL=""):
        (letter,) = wait_for("SQS's own redrive", shop.dead_letters)
    assert FAILURE not in letter.get("MessageAttributes", {})


def test_groups_keep_their_order_through_failures(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, fifo=True, max_receive_count=20)
    sent = [(f"g{number % 3}", number) for number in range(24)]
    failing = {4: 1, 9: 1, 20: 1}
    shop.send(
        [envelope(f"k{n}", group=group, number=n, fail=failing.get(n, 0), seconds=0.01) for group, n in sent],
        groups=[group for group, _ in sent],
    )
    with shop.worker(CONCURRENCY="3"), shop.worker(CONCURRENCY="2"):
        shop.wait_until_empty(90)
    every_call = defaultdict(list)
    for line in map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines()):
        every_call[line["group"]].append((line["what"], line["number"]))
    for group in ("g0", "g1", "g2"):
        expected = []
        for number in [n for g, n in sent if g == group]:
            expected += [("begin", number), ("fail", number)] * failing.get(number, 0)
            expected += [("begin", number), ("end", number)]
        assert every_call[group] == expected
    assert shop.dead_letters() == []


def test_a_poisoned_group_goes_on_behind_its_dead_letter(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, fifo=True)
    shop.send([envelope("a"), envelope("b", poison=True), envelope("c")], groups=["g"] * 3)
    with shop.worker():
        shop.wait_until_empty()
    assert [call["key"] for call in shop.calls("end")] == ["a", "c"]
    (letter,) = shop.dead_letters()
    assert letter["Attributes"]["MessageGroupId"] == "g"


def test_long_work_is_neither_received_again_nor_repeated_for_a_copy(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, visibility_timeout_seconds=5, max_receive_count=3)
    shop.send([envelope("long", seconds=7)])
    with shop.worker() as one, shop.worker() as other:
        wait_for("the work to begin", shop.calls)
        shop.send([envelope("long")])
        shop.wait_until_empty()
    assert shop.attempts() == {"long": 1}
    outcomes = one.outcomes() + other.outcomes()
    assert (outcomes["handled"], outcomes["duplicate"]) == (1, 1)
    handled = [line for line in one.lines() + other.lines() if line.get("outcome") == "handled"]
    assert handled[0]["receive_count"] == 1
    assert shop.dead_letters() == []


def test_sigterm_finishes_what_is_begun_and_gives_the_rest_back(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    # Three of the first ten go through; three of the rest are in the middle of their work when the signal comes.
    shop.send([envelope(f"k{number}", gate=int(number >= 3)) for number in range(30)])
    worker = shop.start(CONCURRENCY="3")
    try:
        wait_for("some work", lambda: len(shop.calls()) - len(shop.calls("end")) == 3 and shop.more_calls_than(3))
        worker.begin_to_stop()
        shop.open_gate()
        assert worker.process.wait(60) == 0, worker.text()
    finally:
        worker.kill()
    begun = {call["key"] for call in shop.calls()}
    assert begun == {call["key"] for call in shop.calls("end")}
    assert len(begun) < 30
    assert shop.counts() == (30 - len(begun), 0)
    assert worker.outcomes()["handled"] == len(begun)
    assert worker.outcomes()["given-back"] > 0
    with shop.worker(CONCURRENCY="10"):
        shop.wait_until_empty()
    assert shop.attempts() == dict.fromkeys((f"k{number}" for number in range(30)), 1)


def test_sigterm_keeps_the_order_of_groups(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, fifo=True, max_receive_count=10)
    shop.send([envelope(f"k{n}", group="g", number=n, gate=int(n in (2, 6))) for n in range(12)], groups=["g"] * 12)
    for number in (2, 6):
        worker = shop.start()
        try:
            wait_for("some work", functools.partial(shop.more_calls_than, number))
            worker.begin_to_stop()
            shop.open_gate()
            assert worker.process.wait(60) == 0, worker.text()
        finally:
            worker.kill()
        assert len(shop.calls()) == number + 1
        shop.close_gate()
    shop.open_gate()
    with shop.worker():
        shop.wait_until_empty()
    assert [call["number"] for call in shop.calls()] == list(range(12))


def test_work_longer_than_the_stop_timeout_is_given_back_and_told(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    shop.send([envelope("endless", seconds=60), envelope("waiting")])
    worker = shop.start(STOP_TIMEOUT_SECONDS="2")
    try:
        wait_for("the work to begin", shop.calls)
        assert worker.stop() == 3
    finally:
        worker.kill()
    assert shop.counts() == (2, 0)
    assert shop.records() == []  # another worker can begin at once
    assert any("stop timeout is too short" in line["message"] for line in worker.lines())
    assert worker.outcomes() == {"given-back": 2}


def test_a_second_signal_ends_the_worker_at_once(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    shop.send([envelope("endless", seconds=60)])
    worker = shop.start()
    try:
        wait_for("the work to begin", shop.calls)
        worker.process.send_signal(signal.SIGINT)
        wait_for("the first signal", lambda: "stopping" in worker.text())
        assert worker.stop() == 128 + signal.SIGTERM
    finally:
        worker.kill()


def test_a_table_that_is_missing_dead_letters_nothing(account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path, max_receive_count=1)
    shop.dynamodb.delete_table(TableName="keys")
    shop.send([envelope("patient")])
    with shop.worker() as worker:
        wait_for("the last attempt to wait", lambda: "the last attempt waits" in worker.text())
        assert (shop.counts(), shop.calls()) == ((0, 1), [])
        shop.dynamodb.create_table(
            TableName="keys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        shop.wait_until_empty()
    assert worker.outcomes() == {"handled": 1}
    assert shop.dead_letters() == []
