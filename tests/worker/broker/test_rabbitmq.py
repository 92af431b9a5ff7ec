"""Real worker processes on a real RabbitMQ."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time
from pathlib import Path

import pytest

from contracts.messages import FAILURE
from tests.emulator import Account
from tests.worker.broker.servers import RabbitMq
from tests.worker.broker.support import RabbitShop, reason_of
from tests.worker.support import ORDER, envelope, wait_for


def test_every_message_is_handled_once_and_acknowledged(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    keys = [f"k{number}" for number in range(60)]
    with shop.worker(CONCURRENCY="4") as worker:
        worker.wait_until_consuming()
        shop.send([envelope(key) for key in keys])
        wait_for("all to be handled", lambda: worker.outcomes()["handled"] == 60)
    assert worker.outcomes() == {"handled": 60}
    assert shop.attempts() == dict.fromkeys(keys, 1)
    assert (shop.waiting(), shop.dead_letters()) == (0, [])
    line = next(line for line in worker.lines() if line.get("outcome") == "handled")
    assert {"pattern", "message_id", "receive_count", "event_id", "idempotency_key", "duration_ms"} <= line.keys()


def test_only_what_failed_comes_back_and_later(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    with shop.worker(CONCURRENCY="3") as worker:
        worker.wait_until_consuming()
        failing = {2: {"fail": 1}, 5: {"fail": 2, "gate": 3}}
        shop.send([envelope(f"k{number}", **failing.get(number, {})) for number in range(10)])
        wait_for("the others, which it does not hold up", lambda: worker.outcomes()["handled"] == 9)
        shop.open_gate()
        wait_for("all to be handled", lambda: worker.outcomes()["handled"] == 10)
    assert worker.outcomes() == {"handled": 10, "retry": 3}
    assert shop.attempts() == {f"k{number}": {2: 2, 5: 3}.get(number, 1) for number in range(10)}
    counts = [
        line["receive_count"] for line in worker.lines() if line.get("outcome") and line["idempotency_key"] == "k5"
    ]
    assert counts == [1, 2, 3]
    assert shop.calls("end")[-1]["key"] == "k5"
    assert shop.waiting() == 0


def test_poison_is_dead_lettered_as_it_was_with_the_reason(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    refused = envelope("refused", poison=True)
    with shop.worker(MAX_RECEIVE_COUNT="2") as worker:
        worker.wait_until_consuming()
        shop.send(
            [refused],
            headers={"tenant": "ünì", "size": 3, "nested": {"a": [1, True]}},
            content_type="application/json",
            correlation_id="c-1",
            priority=2,
            expiration="60000",
        )
        shop.send([envelope("hopeless", fail=99), b"\xff no event"])
        wait_for("the dead letters", lambda: worker.outcomes()["dead-lettered"] == 3)
    assert worker.outcomes() == {"dead-lettered": 3, "retry": 1}
    letters = {body: properties for properties, body in shop.dead_letters()}
    assert shop.waiting() == 0
    properties = letters.pop(refused.encode())
    headers = dict(properties.headers or {})
    reason = reason_of(headers)
    del headers[FAILURE], headers["x-delivery-count"]  # the reason, and what the broker adds to every delivery
    assert (reason.error, reason.retryable, reason.receive_count) == ("NonRetryableError", False, 1)
    assert reason.queue_arn == shop.queue
    assert "no \x01 pineapple" in reason.message
    assert headers == {"tenant": "ünì", "size": 3, "nested": {"a": [1, True]}}
    assert (properties.content_type, properties.correlation_id, properties.priority) == ("application/json", "c-1", 2)
    assert (properties.delivery_mode, properties.expiration) == (2, None)
    garbage = reason_of(letters.pop(b"\xff no event").headers)
    assert (garbage.error, garbage.retryable) == ("EventError", False)
    ((hopeless, _),) = [(properties, body) for body, properties in letters.items()]
    reason = reason_of(hopeless.headers)
    assert (reason.error, reason.message, reason.receive_count) == ("RuntimeError", "failure 2 of hopeless", 2)


def test_an_event_against_its_schema_is_dead_lettered_at_once(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    with shop.worker(CHECK_SCHEMAS="true") as worker:
        worker.wait_until_consuming()
        shop.send([envelope("bad", number=0), envelope("good", **ORDER)])
        wait_for("both", lambda: worker.outcomes().total() == 2)
    assert worker.outcomes() == {"handled": 1, "dead-lettered": 1}
    assert shop.attempts() == {"good": 1}
    ((properties, _),) = shop.dead_letters()
    reason = reason_of(properties.headers)
    assert (reason.error, reason.receive_count, reason.retryable) == ("SchemaMismatchError", 1, False)


def test_copies_of_an_event_are_handled_once_also_at_the_same_time(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    settings = {"CONCURRENCY": "2", "BROKER_LEASE_SECONDS": "5"}
    with shop.worker(**settings) as one, shop.worker(**settings) as other:
        one.wait_until_consuming()
        other.wait_until_consuming()
        shop.send([envelope("same", seconds=0.5)] * 6)
        wait_for(
            "all copies, some of which wait for the lease of the first",
            lambda: sum((one.outcomes() + other.outcomes())[o] for o in ("handled", "duplicate")) == 6,
            60,
        )
    assert shop.attempts() == {"same": 1}
    assert (shop.waiting(), shop.dead_letters()) == (0, [])


def test_the_broker_hands_out_no_more_than_the_prefetch(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    shop.send([envelope(f"k{number}", seconds=60) for number in range(10)])
    worker = shop.start(BROKER_PREFETCH="3", STOP_TIMEOUT_SECONDS="2")
    try:
        wait_for("the work to begin", shop.calls)
        wait_for("three to be handed out", lambda: shop.count() == 7)
        time.sleep(0.3)
        assert shop.count() == 7
        assert len(shop.calls()) == 1
        assert worker.stop() == 3
        assert any("stop timeout is too short" in line["message"] for line in worker.lines())
        assert wait_for("everything to be back", lambda: shop.count() == 10)
        assert shop.dynamodb.scan(TableName="keys")["Items"] == []  # another worker can begin at once
    finally:
        worker.kill()


def test_sigterm_finishes_what_is_begun_and_gives_the_rest_back(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
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
    wait_for("the rest to be back", lambda: shop.count() == 24)
    with shop.worker(CONCURRENCY="10") as next_one:
        wait_for("the rest", lambda: len(shop.effects()) == 30)
        wait_for("their acknowledgement", lambda: next_one.outcomes()["handled"] == 24)
    assert shop.attempts() == dict.fromkeys((f"k{number}" for number in range(30)), 1)


def test_nothing_is_lost_when_workers_are_killed(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    rng = random.Random(7)
    keys = [f"k{number}" for number in range(150)]
    shop.send([envelope(key, seconds=0.05, fail=int(number % 25 == 3)) for number, key in enumerate(keys)])
    settings = {"CONCURRENCY": "3", "MAX_RECEIVE_COUNT": "100"}
    workers = [shop.start(**settings) for _ in range(2)]
    try:
        for kill in range(8):
            before = len(shop.calls())
            wait_for("some more work", lambda before=before: len(shop.calls()) > before + 3)  # type: ignore[misc]
            time.sleep(rng.random() * 0.1)
            workers[kill % 2].process.send_signal(signal.SIGKILL)
            workers[kill % 2].process.wait()
            workers[kill % 2] = shop.start(**settings)
        wait_for("every effect", lambda: shop.effects() == set(keys), 60)
        for worker in workers:
            assert worker.stop() == 0, worker.text()
    finally:
        for worker in workers:
            worker.kill()

    def worked_off() -> bool:
        """Nothing is left in the queue when nobody has anything in hand."""
        with shop.worker(**settings) as worker:
            worker.wait_until_consuming()
            wait_for("an empty queue", lambda: shop.waiting() == 0, 30)
        return shop.waiting() == 0

    wait_for("what was given back to be worked off", worked_off, 60)
    assert (shop.waiting(), shop.dead_letters()) == (0, [])
    assert set(shop.ends()) == set(keys)
    # Only what a killed worker had in its hands was begun again: 3 messages at each of 8 kills.
    assert sum(shop.ends().values()) - len(keys) <= 8 * 3


def test_a_message_that_kills_its_worker_is_found_out(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    shop.send([envelope("killer", seconds=60)])
    for number in range(1, 4):
        worker = shop.start(MAX_RECEIVE_COUNT="3")
        wait_for("the handler", lambda number=number: len(shop.calls()) == number)  # type: ignore[misc]
        worker.kill()
    with shop.worker(MAX_RECEIVE_COUNT="3") as last:
        wait_for("the verdict", lambda: last.outcomes()["dead-lettered"] == 1)
    ((properties, _),) = shop.dead_letters()
    reason = reason_of(properties.headers)
    assert (reason.error, reason.receive_count) == ("WorkerLostError", 4)


def test_a_restart_of_the_broker_loses_nothing(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    keys = [f"k{number}" for number in range(60)]
    shop.send([envelope(key, seconds=0.05, fail=int(number % 20 == 3)) for number, key in enumerate(keys)])
    with shop.worker(CONCURRENCY="2", MAX_RECEIVE_COUNT="20") as worker:
        wait_for("some work", lambda: len(shop.calls()) > 10)
        rabbitmq.stop()
        wait_for("the worker to notice", lambda: "cannot connect" in worker.text())
        rabbitmq.start()
        wait_for("every effect", lambda: shop.effects() == set(keys), 60)
        wait_for("an empty queue", lambda: shop.waiting() == 0)
    assert (shop.waiting(), shop.dead_letters()) == (0, [])
    assert all(count == 1 for count in shop.ends().values())
    reasons = [line for line in worker.lines() if line["message"].startswith("the connection is lost")]
    assert len(reasons) == 1


def test_order_is_kept_through_failures_and_over_two_tasks(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    settings = {"BROKER_ORDERED": "true", "MAX_RECEIVE_COUNT": "5", "BROKER_PREFETCH": "10"}
    failing = {3: 1, 7: 2}
    one = shop.start(**settings)
    try:
        one.wait_until_consuming()
        with shop.worker(**settings) as other:
            wait_for("the other to stand in line", lambda: "this one waits" in other.text(), 60)
            bodies = [
                envelope(f"k{n}", number=n, fail=failing.get(n, 0), poison=n == 5, gate=int(n == 8), seconds=0.02)
                for n in range(20)
            ]
            shop.send(bodies)
            wait_for("the active one's work", lambda: shop.attempts()["k8"] == 1)
            one.begin_to_stop()
            shop.open_gate()
            assert one.process.wait(60) == 0, one.text()
            wait_for("the rest", lambda: len(shop.ends()) == 19)
            wait_for("the last", lambda: sum((one.outcomes() + other.outcomes()).values()) == 23)
            assert other.outcomes() == {"handled": 11}
    finally:
        one.kill()
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    expected = []
    for number in range(20):
        expected += [("begin", number), ("fail", number)] * failing.get(number, 0)
        expected += [("begin", number)] if number == 5 else [("begin", number), ("end", number)]
    assert [(line["what"], line["number"]) for line in lines] == expected
    assert len(shop.dead_letters()) == 1
    assert shop.waiting() == 0


def test_somebody_elses_consumer_is_told_of_and_not_waited_for_for_ever(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    with rabbitmq.connect() as connection, shop.worker(BROKER_ORDERED="true") as worker:
        channel = connection.channel()
        tag = channel.basic_consume(shop.queue, lambda *_: None)
        worker.wait_until_consuming()
        assert "(1 of them): order is not kept" in worker.text()
        channel.basic_cancel(tag)
        shop.send([envelope("k")])
        wait_for("the effect", shop.effects)


def test_a_queue_whose_leader_does_not_answer_is_not_taken_for_one_that_nobody_consumes(
    account: Account, tmp_path: Path, rabbitmq: RabbitMq
) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    shop.declare()
    with contextlib.ExitStack() as workers, rabbitmq.connect() as connection:
        with rabbitmq.silent(shop.queue):
            # "No consumers", says RabbitMQ then.
            assert connection.channel().queue_declare(shop.queue, passive=True).method.consumer_count == 0
            worker = workers.enter_context(shop.worker(BROKER_ORDERED="true"))
            wait_for("the worker to give up asking", lambda: "order may be lost" in worker.text(), 60)
        worker.wait_until_consuming()
        shop.send([envelope("k")])
        wait_for("the effect", shop.effects)


def test_order_is_kept_when_the_active_task_is_killed(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    settings = {"BROKER_ORDERED": "true", "MAX_RECEIVE_COUNT": "20", "BROKER_PREFETCH": "10"}
    tasks = [shop.start(**settings)]
    try:
        tasks[0].wait_until_consuming()
        shop.send([envelope(f"k{n}", number=n, seconds=0.03) for n in range(40)])
        for kills in range(1, 4):
            tasks.append(shop.start(**settings))
            wait_for("some work", lambda kills=kills: len(shop.calls()) > 8 * kills)  # type: ignore[misc]
            tasks[kills - 1].kill()
        wait_for("the rest", lambda: len(shop.ends()) == 40, 60)
        assert tasks[-1].stop() == 0, tasks[-1].text()
    finally:
        for task in tasks:
            task.kill()
    # The message in hand at a kill may be begun, or even handled, again; none overtakes another.
    numbers = [call["number"] for call in shop.calls("end")]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(40))
    assert (shop.waiting(), shop.dead_letters()) == (0, [])


def test_a_queue_that_somebody_else_made_is_used_as_it_is(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    with rabbitmq.connect() as connection:
        connection.channel().queue_declare(shop.queue, durable=True)
    shop.send([envelope("a"), envelope("b", fail=1), envelope("c", poison=True)])
    with shop.worker() as worker:
        wait_for("the work", lambda: worker.outcomes() == {"handled": 2, "retry": 1, "dead-lettered": 1})
    assert "exists with other arguments; it is used as it is" in worker.text()
    assert (len(shop.dead_letters()), shop.waiting()) == (1, 0)


def test_a_deleted_queue_is_made_anew(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    with shop.worker() as worker:
        worker.wait_until_consuming()
        with rabbitmq.connect() as connection:
            channel = connection.channel()
            channel.exchange_delete(f"{shop.queue}.dlx")
            for name in (f"{shop.queue}.dlq", shop.queue):  # the worker notices the last one, and makes all anew
                channel.queue_delete(name)
        worker.wait_until_consuming(times=2)
        shop.send([envelope("after", poison=True)])
        wait_for("the dead letter", lambda: worker.outcomes()["dead-lettered"] == 1)
    assert len(shop.dead_letters()) == 1


def test_a_wrong_password_is_told_and_tried_again(account: Account, tmp_path: Path, rabbitmq: RabbitMq) -> None:
    shop = RabbitShop(account, tmp_path, rabbitmq)
    with shop.worker(BROKER_PASSWORD="wrong-one") as worker:
        wait_for("two attempts", lambda: worker.text().count("cannot connect") >= 2)
    reasons = {line["reason"] for line in worker.lines() if line["message"].startswith("cannot connect")}
    assert len(reasons) == 1
    assert "ACCESS_REFUSED" in reasons.pop()
    assert "wrong-one" not in worker.text()


def test_tls_is_spoken_and_the_certificate_checked(
    account: Account, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> None:
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq-tls"), certificate)
    trusting = str(certificate / "ca.pem")
    try:
        server.start()
        shop = RabbitShop(account, tmp_path, server)
        # GIVEN workers that do not trust the authority, or call the broker by another name than its certificate's
        stranger = server.tls_url.replace("localhost", "127.0.0.1")
        with shop.worker(BROKER_URLS=server.tls_url) as distrustful:
            wait_for("a refusal", lambda: "cannot connect" in distrustful.text())
        with shop.worker(BROKER_URLS=stranger, BROKER_CA_FILE=trusting) as misled:
            wait_for("a refusal", lambda: "cannot connect" in misled.text())
        # WHEN one trusts it and knows its name, THEN it works
        with shop.worker(BROKER_URLS=server.tls_url, BROKER_CA_FILE=trusting) as worker:
            worker.wait_until_consuming()
            shop.send([envelope("a"), envelope("b", poison=True)])
            wait_for("the work", lambda: worker.outcomes() == {"handled": 1, "dead-lettered": 1})
        assert distrustful.outcomes() == misled.outcomes() == {}
    finally:
        server.end()
