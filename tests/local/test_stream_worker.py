"""The stream worker from end to end, on the real program: bus → rule → stream → tasks that share its shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import STREAM_POSITION, StreamPosition
from tests.local.dashboards import assert_everything_shown_is_there
from tests.local.deployed import Deployed, deployed, eventually, order

pytestmark = pytest.mark.timeout(240)


def settings(root: Path) -> dict[str, Any]:
    return {
        "pattern": "stream-worker",
        "stream": {"mode": "provisioned", "shards": 2},
        "events": {"source": ["pizza.service.com"], "detail": {"data": {"region": ["AU", "NZ"]}}},
        "partition_key": "$.detail.data.channel-id",
        "handler": {
            "function": "tests.local.handlers:bake",
            "image": "eda-worker:local",
            "environment": {"EFFECTS": str(root / "effects"), "BAKING_SECONDS": "0"},
            "concurrency": 4,
            "stop_timeout_seconds": 10,
        },
        "reading": {"lease_seconds": 5, "max_attempts": 2},
        "scaling": {"min": 2, "max": 2},
    }


@pytest.fixture(scope="module", params=["polling", "enhanced"])
def kitchen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """On an embedded AWS that enforces every task's own role."""
    root = tmp_path_factory.mktemp("stream-kitchen") / "checkout"
    chosen = settings(root)
    chosen["reading"]["enhanced_fan_out"] = request.param == "enhanced"
    with deployed(root, chosen, "--auth") as environment:
        yield environment


def holders(kitchen: Deployed) -> list[str]:
    stream = kitchen.manifest.stream
    assert stream is not None
    rows = kitchen.client("dynamodb").scan(TableName=stream.lease_table, ConsistentRead=True)["Items"]
    return sorted(row["owner"]["S"] for row in rows)


def keys_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["detail"]["metadata"]["idempotency-key"] for event in events]


def test_two_tasks_share_the_shards_and_every_order_is_baked_once_in_order(kitchen: Deployed):
    eventually(lambda: len(set(holders(kitchen))) == 2 and "" not in holders(kitchen), 60, lambda: holders(kitchen))
    events = [order(name="poison" if number == 3 else "margherita") for number in range(60)]
    for number, event in enumerate(events):
        event["detail"]["data"]["channel-id"] = f"channel-{number % 6}"
    kitchen.send([*events, *events[10:20]])
    eventually(lambda: sum(kitchen.effects().values()) >= 59, 60, kitchen.effects)
    records, undelivered = kitchen.dead_letter_urls
    eventually(lambda: kitchen.depth(records) == 1, 30, lambda: kitchen.depth(records))
    baked = kitchen.effects()
    assert [baked[key] for key in keys_of(events)] == [1, 1, 1, 0, *[1] * 56]
    lines = (kitchen.root / "effects").read_text().split()
    for channel in range(6):
        mine = [key for number, key in enumerate(keys_of(events)) if number % 6 == channel and number != 3]
        assert [key for key in lines if key in mine] == mine
    message = kitchen.client("sqs").receive_message(QueueUrl=records, MessageAttributeNames=["All"])["Messages"][0]
    position = StreamPosition.from_json(message["MessageAttributes"][STREAM_POSITION]["StringValue"])
    assert position is not None
    assert position.partition_key == "channel-3"
    assert keys_of(events)[3] in message["Body"]
    assert kitchen.depth(undelivered) == 0


def test_a_killed_task_is_replaced_and_loses_nothing(kitchen: Deployed):
    before = kitchen.effects()
    events = [order() for _ in range(40)]
    for number, event in enumerate(events):
        event["detail"]["data"]["channel-id"] = f"channel-{number % 8}"
    kitchen.send(events[:20])
    assert kitchen.kill_a_task(lambda alive: alive[0])
    kitchen.send(events[20:])
    eventually(lambda: set(keys_of(events)) <= kitchen.effects().keys(), 60, lambda: kitchen.effects() - before)
    eventually(lambda: len(set(holders(kitchen))) == 2 and "" not in holders(kitchen), 60, lambda: holders(kitchen))


def test_the_dashboard_shows_the_stream_that_is_there(kitchen: Deployed):
    assert assert_everything_shown_is_there(kitchen) == {"AWS/Kinesis", "EDA/Workers", "AWS/ECS", "AWS/SQS"}
