"""Dead letters of a RabbitMQ worker, on a real RabbitMQ."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from contracts.messages import FAILURE, REPLAY_COUNT, Failure
from ops.exit_codes import ExitCode
from tests.ops.actions.replay.targets import event
from tests.ops.scene import Scene
from tests.worker.broker.servers import PASSWORD, USERNAME, RabbitMq

pytestmark = pytest.mark.soak

_QUORUM = {"x-queue-type": "quorum"}
_WORDS = ("--stack", "dev", "replay-dlq", "orders", "--yes", "--output", "json")


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture
def channel(rabbitmq: RabbitMq) -> Iterator[Any]:
    """The queue and its dead letters, empty."""
    with rabbitmq.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # what a test has published is there for the next connection
        for queue in ("orders", "orders.dlq"):
            channel.queue_declare(queue, durable=True, arguments=_QUORUM)
            channel.queue_purge(queue)
        yield channel


def _publish(scene: Scene, rabbitmq: RabbitMq, **broker: Any) -> None:
    login = json.dumps({"username": USERNAME, "password": PASSWORD})
    secret = scene.account.client("secretsmanager").create_secret(Name="login", SecretString=login)["ARN"]
    arn = f"arn:aws:mq:{scene.account.region}:{scene.account.id}:broker:main:b-1"
    reference = {
        "name": "main",
        "arn": arn,
        "engine": "RabbitMQ",
        "urls": [rabbitmq.url],
        "secret_arn": secret,
        "queue": "orders",
        "dead_letter_queue": "orders.dlq",
        **broker,
    }
    scene.publish_pattern("orders", {"pattern": "broker-worker", "broker": reference})


def _fill(channel: Any, count: int, **headers: Any) -> None:
    failure = Failure(
        error="KeyError", message="'x'", receive_count=3, retryable=True, queue_arn="orders", failed_at="2026-11-27"
    )
    for number in range(count):
        properties = pika.BasicProperties(
            message_id=f"m{number}",
            delivery_mode=2,
            headers={"trace": f"t{number}", FAILURE: failure.to_json(), **headers},
        )
        channel.basic_publish("", "orders.dlq", json.dumps(event(number)).encode(), properties)


def _take(channel: Any, queue: str) -> list[tuple[Any, Any]]:
    """Properties and event of everything in a queue, which is then empty."""
    found = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        found.append((properties, json.loads(body)))
    return found


def _depth(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def _eventually(channel: Any, queue: str, depth: int) -> None:
    deadline = time.monotonic() + 30
    while _depth(channel, queue) != depth and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _depth(channel, queue) == depth


def test_they_are_looked_at_and_go_back_confirmed(scene: Scene, rabbitmq: RabbitMq, channel: Any) -> None:
    _publish(scene, rabbitmq)
    _fill(channel, 30)

    peeked = scene.run("--stack", "dev", "peek-dlq", "orders", "--output", "json")
    assert peeked.code == 0, peeked.stderr
    assert sorted(row["id"] for row in json.loads(peeked.stdout)) == sorted(f"m{n}" for n in range(30))
    assert {row["error"] for row in json.loads(peeked.stdout)} == {"KeyError"}
    _eventually(channel, "orders.dlq", 30)
    ran = scene.run(*_WORDS)

    assert (ran.code, ran.last["found"], ran.last["moved"], ran.last["duplicates_possible"]) == (0, 30, 30, 0), (
        ran.stderr
    )
    got = _take(channel, "orders")
    assert sorted((body for _, body in got), key=lambda one: one["id"]) == [event(n) for n in range(30)]
    for properties, body in got:
        number = body["detail"]["data"]["number"]
        assert (properties.message_id, properties.delivery_mode) == (f"m{number}", 2)
        own = {name: value for name, value in properties.headers.items() if name != "x-delivery-count"}  # the broker's
        assert own == {"trace": f"t{number}", REPLAY_COUNT: 1}
    _eventually(channel, "orders.dlq", 0)


def test_what_was_replayed_too_often_stays_and_holds_nobody_up(scene: Scene, rabbitmq: RabbitMq, channel: Any) -> None:
    _publish(scene, rabbitmq)
    _fill(channel, 3, **{REPLAY_COUNT: 3})
    _fill(channel, 5)

    ran = scene.run(*_WORDS)

    assert (ran.code, ran.last["moved"], ran.last["skipped"]) == (ExitCode.PARTLY, 5, 3), ran.stderr
    assert "pass --max-replays 4" in ran.stderr
    _eventually(channel, "orders.dlq", 3)
    assert len(_take(channel, "orders")) == 5


def test_a_killed_run_loses_nothing(scene: Scene, rabbitmq: RabbitMq, channel: Any) -> None:
    _publish(scene, rabbitmq)
    _fill(channel, 100)
    kills = 0
    for _ in range(3):
        run = scene.start(*_WORDS, "--rate", "40")
        before = _depth(channel, "orders")
        while run.poll() is None and _depth(channel, "orders") < before + 10:
            time.sleep(0.01)
        kills += run.poll() is None
        run.kill()
        run.communicate()
    assert kills >= 2

    ran = scene.run(*_WORDS)

    assert ran.code == 0, ran.stderr
    assert ran.last["duplicates_possible"] == 1
    arrived = Counter(body["id"] for _, body in _take(channel, "orders"))
    deadline = time.monotonic() + 60
    while len(arrived) < 100 and time.monotonic() < deadline:
        # What a killed run had in hand is back when the broker has noticed that its connection is closed.
        time.sleep(0.1)
        assert scene.run(*_WORDS).code == 0
        arrived.update(body["id"] for _, body in _take(channel, "orders"))
    assert set(arrived) == {event(n)["id"] for n in range(100)}
    assert arrived.total() - 100 <= kills


def test_a_queue_that_is_gone_a_broker_that_is_down_and_activemq_are_told(
    scene: Scene, rabbitmq: RabbitMq, channel: Any
) -> None:
    _publish(scene, rabbitmq, queue="none")
    _fill(channel, 2)

    gone = scene.run(*_WORDS)
    assert (gone.code, gone.last["moved"], gone.last["left"]) == (ExitCode.ERROR, 0, 2)
    _eventually(channel, "orders.dlq", 2)
    scene.publish_pattern(
        "down", {"pattern": "broker-worker", "broker": _reference(scene, urls=["amqp://127.0.0.1:1"])}
    )
    down = scene.run("--stack", "dev", "replay-dlq", "down", "--yes")
    assert down.code == ExitCode.ERROR
    assert "the broker main cannot be reached" in down.stderr
    scene.publish_pattern("old", {"pattern": "broker-worker", "broker": _reference(scene, engine="ActiveMQ")})
    old = scene.run("--stack", "dev", "peek-dlq", "old")
    assert old.code == ExitCode.ERROR
    assert "its dead letters are moved in its web console" in old.stderr


def _reference(scene: Scene, **broker: Any) -> dict[str, Any]:
    arn = f"arn:aws:mq:{scene.account.region}:{scene.account.id}:broker:main:b-1"
    return {
        "name": "main",
        "arn": arn,
        "engine": "RabbitMQ",
        "urls": ["amqp://x"],
        "secret_arn": "login",
        "queue": "orders",
        "dead_letter_queue": "orders.dlq",
        **broker,
    }


def test_status_counts_both_queues_where_cloudwatch_has_no_count(
    scene: Scene, rabbitmq: RabbitMq, channel: Any
) -> None:
    _publish(scene, rabbitmq)
    _fill(channel, 4)
    for _ in range(3):
        channel.basic_publish("", "orders", b"{}", pika.BasicProperties(delivery_mode=2))
    _eventually(channel, "orders", 3)
    words = ("--stack", "dev", "status", "orders", "--output", "json")

    ran = scene.run(*words)

    assert ran.code == ExitCode.OK, ran.stderr
    row = json.loads(ran.stdout)[0]
    assert (row["visible"], row["in_flight"], row["dead_letters"]) == (3, None, {"orders.dlq": 4})
    assert (len(_take(channel, "orders")), len(_take(channel, "orders.dlq"))) == (3, 4)


def test_a_queue_that_no_worker_has_made_yet_is_unknown(scene: Scene, rabbitmq: RabbitMq) -> None:
    _publish(scene, rabbitmq, dead_letter_queue="new.dlq")

    ran = scene.run("--stack", "dev", "status", "orders", "--output", "json")

    assert ran.code == ExitCode.PARTLY
    assert json.loads(ran.stdout)[0]["dead_letters"] == {"new.dlq": None}
    assert "NOT_FOUND" in ran.stderr
