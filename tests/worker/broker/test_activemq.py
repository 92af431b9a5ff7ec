"""Real worker processes on a real ActiveMQ, over STOMP."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.broker.servers import ActiveMq
from tests.worker.broker.support import ActiveShop, reason_of
from tests.worker.support import envelope, wait_for


def test_every_message_is_handled_once_and_acknowledged(account: Account, tmp_path: Path, activemq: ActiveMq) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    keys = [f"k{number}" for number in range(60)]
    shop.send([envelope(key) for key in keys])
    with shop.worker(CONCURRENCY="4") as worker:
        wait_for("all to be handled", lambda: worker.outcomes()["handled"] == 60)
    assert worker.outcomes() == {"handled": 60}
    assert shop.attempts() == dict.fromkeys(keys, 1)
    assert shop.read(shop.queue, 1) == []


def test_what_fails_is_tried_again_in_hand_and_does_not_hold_up_the_others(
    account: Account, tmp_path: Path, activemq: ActiveMq
) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    failing = {2: {"fail": 1}, 5: {"fail": 2, "gate": 3}}
    shop.send([envelope(f"k{number}", **failing.get(number, {})) for number in range(10)])
    with shop.worker(BROKER_PREFETCH="10", CONCURRENCY="2") as worker:
        wait_for("the others", lambda: worker.outcomes()["handled"] == 9)
        shop.open_gate()
        wait_for("all to be handled", lambda: worker.outcomes()["handled"] == 10)
    assert worker.outcomes() == {"handled": 10, "retry": 3}
    assert shop.attempts() == {f"k{number}": {2: 2, 5: 3}.get(number, 1) for number in range(10)}
    last = shop.calls("end")[-1]
    assert last["key"] == "k5"
    assert shop.read(shop.queue, 1) == []


def test_poison_is_dead_lettered_as_it_was_with_the_reason(
    account: Account, tmp_path: Path, activemq: ActiveMq
) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    refused = envelope("refused", poison=True)
    shop.send([refused], {"tenant": "ünì: a\nb", "correlation-id": "c-1", "priority": "7"})
    shop.send([envelope("hopeless", fail=99), b"\xff\x00 no event"])
    with shop.worker(MAX_RECEIVE_COUNT="2") as worker:
        wait_for("the dead letters", lambda: worker.outcomes()["dead-lettered"] == 3)
    assert worker.outcomes() == {"dead-lettered": 3, "retry": 1}
    letters = {bytes(frame.body): frame.headers for frame in shop.dead_letters(3)}
    headers = letters.pop(refused.encode())
    reason = reason_of(headers)
    assert (reason.error, reason.retryable, reason.receive_count) == ("NonRetryableError", False, 1)
    assert (headers["tenant"], headers["correlation-id"], headers["priority"]) == ("ünì: a\nb", "c-1", "7")
    assert "content-length" not in headers  # it was a text, and still is one
    garbage = letters.pop(b"\xff\x00 no event")
    assert (reason_of(garbage).error, garbage["content-length"]) == ("EventError", "11")
    ((_, hopeless),) = letters.items()
    assert (reason_of(hopeless).message, reason_of(hopeless).receive_count) == ("failure 2 of hopeless", 2)
    assert shop.read(shop.queue, 1) == []


def test_order_is_kept_through_failures_and_over_two_tasks(
    account: Account, tmp_path: Path, activemq: ActiveMq
) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    settings = {"BROKER_ORDERED": "true", "MAX_RECEIVE_COUNT": "5", "BROKER_PREFETCH": "10"}
    failing = {3: 1, 7: 2}
    one = shop.start(**settings)
    try:
        one.wait_until_consuming()
        with shop.worker(**settings) as other:
            other.wait_until_consuming()
            bodies = [
                envelope(f"k{n}", number=n, fail=failing.get(n, 0), gate=int(n == 8), seconds=0.02) for n in range(20)
            ]
            shop.send(bodies)
            wait_for("the active one's work", lambda: shop.attempts()["k8"] == 1)
            one.begin_to_stop()
            shop.open_gate()
            assert one.process.wait(60) == 0, one.text()
            wait_for("the rest", lambda: len(shop.ends()) == 20)
            wait_for("the last", lambda: (one.outcomes() + other.outcomes())["handled"] == 20)
            assert other.outcomes()["handled"] > 0
    finally:
        one.kill()
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    expected = []
    for number in range(20):
        expected += [("begin", number), ("fail", number)] * failing.get(number, 0)
        expected += [("begin", number), ("end", number)]
    assert [(line["what"], line["number"]) for line in lines] == expected


def test_sigterm_finishes_what_is_begun_and_the_rest_comes_back(
    account: Account, tmp_path: Path, activemq: ActiveMq
) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    shop.send([envelope(f"k{number}", gate=int(number >= 3)) for number in range(30)])
    worker = shop.start(CONCURRENCY="3", BROKER_PREFETCH="20")
    try:
        wait_for("some work", lambda: {f"k{number}" for number in range(6)} == shop.attempts().keys())
        worker.begin_to_stop()
        shop.open_gate()
        assert worker.process.wait(60) == 0, worker.text()
    finally:
        worker.kill()
    begun = {call["key"] for call in shop.calls()}
    assert begun == {call["key"] for call in shop.calls("end")}
    assert len(begun) == 6
    with shop.worker(CONCURRENCY="10", BROKER_PREFETCH="30") as next_one:
        wait_for("the rest", lambda: next_one.outcomes()["handled"] == 24)
    assert shop.attempts() == dict.fromkeys((f"k{number}" for number in range(30)), 1)
    assert shop.read(shop.queue, 1) == []


def test_nothing_is_lost_when_workers_are_killed(account: Account, tmp_path: Path, activemq: ActiveMq) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    rng = random.Random(11)
    keys = [f"k{number}" for number in range(100)]
    shop.send([envelope(key, seconds=0.05, fail=int(number % 25 == 3)) for number, key in enumerate(keys)])
    settings = {"CONCURRENCY": "3", "BROKER_PREFETCH": "6"}
    workers = [shop.start(**settings) for _ in range(2)]
    try:
        for kill in range(6):
            before = len(shop.calls())
            wait_for("some more work", lambda before=before: len(shop.calls()) > before + 3)  # type: ignore[misc]
            time.sleep(rng.random() * 0.1)
            workers[kill % 2].kill()
            workers[kill % 2] = shop.start(**settings)
        wait_for("every effect", lambda: shop.effects() == set(keys), 60)
        for worker in workers:
            assert worker.stop() == 0, worker.text()
    finally:
        for worker in workers:
            worker.kill()
    # What was handled, but not acknowledged before the kill; the key says so.
    left = {json.loads(frame.body)["detail"]["metadata"]["idempotency-key"] for frame in shop.read(shop.queue, 100)}
    assert left <= shop.effects()
    assert set(shop.ends()) == set(keys)
    assert sum(shop.ends().values()) - len(keys) <= 6 * 3
    assert shop.read(f"{shop.queue}.dlq", 1) == []


def test_a_broker_that_is_killed_and_started_again_loses_nothing(
    account: Account, tmp_path: Path, activemq: ActiveMq
) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    keys = [f"k{number}" for number in range(60)]
    shop.send([envelope(key, seconds=0.05, fail=int(number % 20 == 3)) for number, key in enumerate(keys)])
    with shop.worker(CONCURRENCY="2") as worker:
        wait_for("some work", lambda: len(shop.calls()) > 10)
        activemq.kill()
        wait_for("the worker to notice", lambda: "cannot connect" in worker.text())
        activemq.start()
        wait_for("every effect", lambda: shop.effects() == set(keys), 60)
    assert all(count == 1 for count in shop.ends().values())
    assert shop.read(shop.queue, 1) == []


def test_a_wrong_password_is_told_and_tried_again(account: Account, tmp_path: Path, activemq: ActiveMq) -> None:
    shop = ActiveShop(account, tmp_path, activemq)
    with shop.worker(BROKER_PASSWORD="wrong-one") as worker:
        wait_for("two attempts", lambda: worker.text().count("cannot connect") >= 2)
    reasons = {line["reason"] for line in worker.lines() if line["message"].startswith("cannot connect")}
    assert len(reasons) == 1
    assert "invalid" in reasons.pop()
    assert "wrong-one" not in worker.text()


def test_tls_is_spoken_and_the_certificate_checked(
    account: Account, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> None:
    server = ActiveMq(tmp_path_factory.mktemp("activemq-tls"), certificate / "keys.p12")
    try:
        server.start()
        shop = ActiveShop(account, tmp_path, server)
        shop.send([envelope("a"), envelope("b", poison=True)])
        with shop.worker(BROKER_URLS=server.tls_url) as distrustful:
            wait_for("a refusal", lambda: "cannot connect" in distrustful.text())
        # The first address does not answer: of an active and a standby broker one never does.
        urls = f"stomp+ssl://localhost:1,{server.tls_url}"
        with shop.worker(BROKER_URLS=urls, BROKER_CA_FILE=str(certificate / "ca.pem")) as worker:
            wait_for("the work", lambda: worker.outcomes() == {"handled": 1, "dead-lettered": 1})
        assert distrustful.outcomes() == {}
    finally:
        server.kill()
