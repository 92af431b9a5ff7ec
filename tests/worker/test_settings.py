from __future__ import annotations

import pytest

from contracts import environment as names
from worker.errors import SettingsError
from worker.settings import Settings, read

MINIMUM = {
    names.HANDLER: "shop.orders:handle",
    names.QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
}


def test_the_minimum_takes_every_default() -> None:
    assert read(MINIMUM) == Settings(
        handler="shop.orders:handle", queue_url=MINIMUM[names.QUEUE_URL], receive_wait_seconds=15
    )


def test_everything_set() -> None:
    settings = read(
        {
            names.HANDLER: "a:b",
            names.QUEUE_URL: "https://host/1/q.fifo",
            names.DEAD_LETTER_QUEUE_URL: "https://host/1/d.fifo",
            names.MAX_RECEIVE_COUNT: "5",
            names.VISIBILITY_TIMEOUT_SECONDS: "600",
            names.BATCH_SIZE: "3",
            names.CONCURRENCY: "4",
            names.RECEIVE_WAIT_SECONDS: "7",
            names.STOP_TIMEOUT_SECONDS: "120",
            names.IDEMPOTENCY_TABLE: "keys",
            names.IDEMPOTENCY_EXPIRES_SECONDS: "3600",
            names.PATTERN: "orders",
            names.LOG_LEVEL: "DEBUG",
            names.ECS_AGENT_URI: "http://169.254.170.2/api/x",
        }
    )
    assert settings == Settings(
        handler="a:b",
        queue_url="https://host/1/q.fifo",
        dead_letter_queue_url="https://host/1/d.fifo",
        max_receive_count=5,
        visibility_timeout_seconds=600,
        batch_size=3,
        concurrency=4,
        receive_wait_seconds=7,
        stop_timeout_seconds=120,
        idempotency_table="keys",
        idempotency_expires_seconds=3600,
        pattern="orders",
        log_level="DEBUG",
        agent_uri="http://169.254.170.2/api/x",
    )
    assert settings.fifo
    assert not read(MINIMUM).fifo


@pytest.mark.parametrize(
    ("stop", "wait", "drain"), [("2", 1, 1.5), ("12", 6, 9.0), ("30", 15, 25.0), ("120", 20, 115.0)]
)
def test_a_poll_and_the_drain_end_before_the_stop_timeout(stop: str, wait: int, drain: float) -> None:
    settings = read({**MINIMUM, names.STOP_TIMEOUT_SECONDS: stop})
    assert (settings.receive_wait_seconds, settings.drain_seconds) == (wait, drain)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (names.HANDLER, "", "HANDLER: not set; set it to module:function of a handle(event) function"),
        (
            names.HANDLER,
            "shop.orders",
            "HANDLER: 'shop.orders' is malformed; allowed: module:function, e.g. worker.handlers.pizza:handle",
        ),
        (
            names.HANDLER,
            "a:b:c",
            "HANDLER: 'a:b:c' is malformed; allowed: module:function, e.g. worker.handlers.pizza:handle",
        ),
        (names.QUEUE_URL, " ", "QUEUE_URL: not set; set it to the URL of the queue to consume"),
        (names.QUEUE_URL, "orders", "QUEUE_URL: 'orders' is not a queue URL; allowed: https://…, not a name or an ARN"),
        (
            names.DEAD_LETTER_QUEUE_URL,
            "arn:aws:sqs:r:1:d",
            "DEAD_LETTER_QUEUE_URL: 'arn:aws:sqs:r:1:d' is not a queue URL; allowed: https://…, not a name or an ARN",
        ),
        (names.BATCH_SIZE, "11", "BATCH_SIZE: 11 is out of range; allowed: 1 to 10"),
        (names.BATCH_SIZE, "ten", "BATCH_SIZE: 'ten' is not a number; allowed: 1 to 10"),
        (names.CONCURRENCY, "0", "CONCURRENCY: 0 is out of range; allowed: 1 to 100"),
        (
            names.VISIBILITY_TIMEOUT_SECONDS,
            "43201",
            "VISIBILITY_TIMEOUT_SECONDS: 43,201 is out of range; allowed: 2 to 43,200",
        ),
        (names.MAX_RECEIVE_COUNT, "-1", "MAX_RECEIVE_COUNT: -1 is out of range; allowed: 1 to 1,000"),
        (names.RECEIVE_WAIT_SECONDS, "0", "RECEIVE_WAIT_SECONDS: 0 is out of range; allowed: 1 to 20"),
        (names.STOP_TIMEOUT_SECONDS, "300", "STOP_TIMEOUT_SECONDS: 300 is out of range; allowed: 2 to 120"),
        (
            names.IDEMPOTENCY_EXPIRES_SECONDS,
            "1.5",
            "IDEMPOTENCY_EXPIRES_SECONDS: '1.5' is not a number; allowed: 60 to 31,536,000",
        ),
        (names.LOG_LEVEL, "LOUD", "LOG_LEVEL: 'LOUD' is unknown; allowed: DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_each_mistake_is_one_line(name: str, value: str, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({**MINIMUM, name: value})
    assert caught.value.lines == [line]


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read({names.BATCH_SIZE: "0", names.LOG_LEVEL: "x"})
    assert [line.partition(":")[0] for line in caught.value.lines] == [
        "HANDLER",
        "QUEUE_URL",
        "BATCH_SIZE",
        "LOG_LEVEL",
    ]
