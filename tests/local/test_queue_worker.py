"""The queue worker from end to end, on the real program: event in → effect out, and nothing lost or doubled."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.scaling import backlog_per_task_target
from tests.local.dashboards import assert_everything_shown_is_there
from tests.local.deployed import Deployed, deployed, eventually, order, orders_settings

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module", params=[False, True], ids=["", "least-privilege"])
def kitchen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Once as it is, and once where the embedded AWS enforces every task's own role."""
    root = tmp_path_factory.mktemp("kitchen") / "checkout"
    with deployed(root, orders_settings(root), *(["--auth"] if request.param else [])) as environment:
        yield environment


def test_every_order_once_and_every_poison_with_its_reason_until_it_is_replayed(kitchen: Deployed):
    # GIVEN 200 orders, 10 of them poison, 20 sent twice, in any order
    orders = [order(name="poison" if number < 10 else "margherita") for number in range(200)]
    keys = [item["detail"]["metadata"]["idempotency-key"] for item in orders]
    sent = [*orders, *orders[50:70]]
    random.Random(1).shuffle(sent)
    before = kitchen.effects()
    dead_letters, undelivered = kitchen.dead_letter_urls

    def effects() -> dict[str, int]:
        return {key: kitchen.effects()[key] - before[key] for key in keys}

    # WHEN they are sent
    kitchen.send(sent)
    # THEN 190 have one effect each, and 10 are dead-lettered with a reason
    eventually(
        lambda: sum(effects().values()) >= 190 and kitchen.depth(kitchen.queue_url) == 0,
        90,
        lambda: (sum(effects().values()), kitchen.depth(kitchen.queue_url), kitchen.depth(dead_letters)),
    )
    assert [effects()[key] for key in keys] == [0] * 10 + [1] * 190
    assert (kitchen.depth(dead_letters), kitchen.depth(undelivered)) == (10, 0)
    peeked = kitchen.ops("peek-dlq", "orders", "--limit", "10", "--output", "json")
    assert peeked.returncode == 0, peeked.stderr
    assert peeked.stdout.count("nobody bakes poison") == 10
    # AND WHEN the handler is fixed and they are replayed
    (kitchen.root / "effects.fixed").touch()
    replayed = kitchen.ops("replay-dlq", "orders", "--yes", "--output", "json")
    assert replayed.returncode == 0, replayed.stderr
    report = json.loads(replayed.stdout.splitlines()[-1])
    assert (report["found"], report["moved"], report["failed"], report["left"]) == (10, 10, 0, 0)
    # THEN there are 200 effects, one each, and no dead letter
    eventually(lambda: sum(effects().values()) >= 200, 60, lambda: sum(effects().values()))
    eventually(lambda: kitchen.depth(kitchen.queue_url) == 0, 30, lambda: kitchen.depth(kitchen.queue_url))
    assert [effects()[key] for key in keys] == [1] * 200
    assert kitchen.depth(dead_letters) == 0
    (kitchen.root / "effects.fixed").unlink()


def test_events_of_other_regions_are_not_for_this_rule(kitchen: Deployed):
    strangers, native = [order(region="US") for _ in range(5)], order()
    kitchen.send([*strangers, native])
    key = native["detail"]["metadata"]["idempotency-key"]
    eventually(lambda: kitchen.effects()[key] == 1, 30, kitchen.effects)
    baked = kitchen.effects()
    assert [item["detail"]["metadata"]["idempotency-key"] in baked for item in strangers] == [False] * 5


def test_an_event_that_cannot_be_delivered_is_replayed_to_its_queue(kitchen: Deployed):
    # GIVEN a queue whose policy no longer admits the rule
    sqs = kitchen.client("sqs")
    policy = sqs.get_queue_attributes(QueueUrl=kitchen.queue_url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=kitchen.queue_url, Attributes={"Policy": ""})
    _, undelivered = kitchen.dead_letter_urls
    event = order()
    key = event["detail"]["metadata"]["idempotency-key"]
    # WHEN an event comes, THEN it is in the rule's dead-letter queue, with EventBridge's reason
    kitchen.send([event])
    eventually(lambda: kitchen.depth(undelivered) == 1, 30, lambda: kitchen.depth(undelivered))
    assert "NO_PERMISSIONS" in kitchen.ops("peek-dlq", "orders", "--output", "json").stdout
    # AND it reaches its own target when the policy is right again
    sqs.set_queue_attributes(QueueUrl=kitchen.queue_url, Attributes={"Policy": policy})
    replayed = kitchen.ops("replay-dlq", "orders", "--yes", "--output", "json")
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout.splitlines()[-1])["moved"] == 1
    eventually(lambda: kitchen.effects()[key] == 1, 30, kitchen.effects)
    assert kitchen.depth(undelivered) == 0


def test_an_idle_service_wakes_scales_to_the_formula_and_returns_to_zero_without_killing_work(tmp_path: Path):
    # GIVEN a service at zero, and work that takes a second each
    scaling = {"acceptable_latency_seconds": 60, "processing_seconds": 2, "min": 0, "max": 10}
    root = tmp_path / "checkout"
    environment = {"EFFECTS": str(root / "effects"), "BAKING_SECONDS": "1"}
    settings = orders_settings(root, scaling=scaling, handler={"environment": environment})
    with deployed(root, settings) as kitchen:
        assert kitchen.counts() == (0, 0)
        # WHEN 100 messages arrive
        orders = [order() for _ in range(100)]
        kitchen.send(orders)
        # THEN it goes to ceil(100 / 30) tasks and not beyond
        expected = -(-100 // backlog_per_task_target(60, 2))
        peak = 0

        def all_baked() -> bool:
            nonlocal peak
            peak = max(peak, kitchen.counts()[1])
            return sum(kitchen.effects().values()) >= 100

        eventually(all_baked, 120, lambda: (kitchen.effects().total(), kitchen.counts()))
        assert peak == expected
        # AND back to zero, every task having ended by itself with its work done
        eventually(lambda: kitchen.counts() == (0, 0), 90, kitchen.counts)
        assert set(kitchen.effects().values()) == {1}
        assert len(kitchen.effects()) == 100
        eventually(lambda: {t["lastStatus"] for t in kitchen.tasks()} == {"STOPPED"}, 30, kitchen.tasks)
        exit_codes = [container.get("exitCode") for task in kitchen.tasks() for container in task["containers"]]
        assert exit_codes.count(0) >= expected - 1
        assert set(exit_codes) <= {0, None}  # None: stopped before its container had started
        assert kitchen.depth(kitchen.queue_url) == 0


def test_workers_killed_twenty_times_lose_nothing_and_repeat_nothing(tmp_path: Path):
    # GIVEN an effect that carries its key, as one must that may not happen twice
    root = tmp_path / "checkout"
    chance = random.Random(20)
    environment = {"EFFECTS": str(root / "effects"), "BAKING_SECONDS": "0.02"}
    settings = orders_settings(
        root,
        scaling={"min": 2, "max": 2, "acceptable_latency_seconds": 60, "processing_seconds": 1},
        handler={"function": "tests.local.handlers:bake_once", "environment": environment},
        # A killed worker's messages come back after this long; more receives than kills, or SQS dead-letters the unlucky.
        queue={"max_receive_count": 50, "visibility_timeout_seconds": 2},
    )
    with deployed(root, settings) as kitchen:
        orders = [order() for _ in range(600)]
        kitchen.send(orders)
        kills = 0
        deadline = time.monotonic() + 200
        while kills < 20 and time.monotonic() < deadline:
            time.sleep(chance.uniform(0.2, 1.5))
            kills += kitchen.kill_a_task(chance.choice)
            if kitchen.depth(kitchen.queue_url) < 100:  # keep them busy while they are killed
                more = [order() for _ in range(200)]
                orders += more
                kitchen.send(more)
        assert kills == 20
        eventually(
            lambda: kitchen.depth(kitchen.queue_url) == 0 and len(kitchen.effects()) == len(orders),
            100,
            lambda: (len(kitchen.effects()), len(orders), kitchen.depth(kitchen.queue_url)),
        )
        keys = {item["detail"]["metadata"]["idempotency-key"] for item in orders}
        assert set(kitchen.effects()) == keys
        assert set(kitchen.effects().values()) == {1}
        assert [kitchen.depth(url) for url in kitchen.dead_letter_urls] == [0, 0]


def test_the_dashboard_shows_what_is_there(kitchen: Deployed):
    assert assert_everything_shown_is_there(kitchen) == {"AWS/SQS", "AWS/ECS"}
