from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import SettingsError, StackSettings, parse
from components.config.queue_worker import QueueWorkerSettings
from components.config.stack import PATTERNS
from components.network import NatMode
from contracts.scaling import ScalingPolicy

ORDERS: dict[str, Any] = {
    "pattern": "queue-worker",
    "events": {"source": ["pizza.service.com"], "detail-type": ["OrderCreated"]},
    "handler": {"image": "registry/worker:1"},
}


def settings(changes: dict[str, Any] | None = None, **shared: Any) -> StackSettings:
    """Parse the smallest stack with `changes` (dotted path → value, ... removes) to its pattern `orders`."""
    orders = copy.deepcopy(ORDERS)
    for path, value in (changes or {}).items():
        *parents, name = path.split(".")
        inner = orders
        for parent in parents:
            inner = inner.setdefault(parent, {})
        if value is ...:
            del inner[name]
        else:
            inner[name] = value
    config = {"patterns": {"orders": orders}, **shared}
    return parse({key: json.dumps(value) for key, value in config.items()}, "dev")


def problems(changes: dict[str, Any] | None = None, **shared: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        settings(changes, **shared)
    return caught.value.problems


def test_the_smallest_stack_gets_the_documented_defaults():
    stack = settings()
    orders = stack.patterns["orders"]
    assert isinstance(orders, QueueWorkerSettings)
    assert stack.network.nat is NatMode.NONE
    assert stack.bus.archive_days == 7
    assert (orders.handler.cpu, orders.handler.memory_mib, orders.handler.stop_timeout_seconds) == (256, 512, 120)
    assert orders.queue.max_receive_count == 5
    assert orders.scaling.policy is ScalingPolicy.BACKLOG_PER_TASK
    assert (orders.scaling.min, orders.scaling.max) == (0, 10)
    assert (orders.scaling.acceptable_latency_seconds, orders.scaling.processing_seconds) == (900, 1)
    assert orders.scaling.headroom == 0
    assert orders.capacity.spot is False
    assert orders.idempotency.expires_hours == 24


def test_no_settings_at_all_are_a_stack_without_patterns():
    assert parse({}, "dev").patterns == {}


EIGHT_KINDS = [
    (
        {"scaling.mxa": 5},
        (
            "patterns.orders.scaling.mxa: there is no such setting; did you mean 'max'?; allowed: "
            "acceptable_latency_seconds, headroom, max, min, policy, processing_seconds"
        ),
    ),
    (
        {"pattern": "queue-wroker"},
        (
            "patterns.orders.pattern: there is no pattern 'queue-wroker'; did you mean 'queue-worker'?; allowed: "
            + ", ".join(PATTERNS)
        ),
    ),
    (
        {"scaling": {"min": 5, "max": 2}},
        "patterns.orders.scaling.max: is 2, less than min (5); lower min or raise max",
    ),
    (
        {"scaling.min": -1},
        (
            "patterns.orders.scaling.min: got -1; allowed: a whole number from 0 to 5,000 tasks; default 0, which costs "
            "nothing"
        ),
    ),
    (
        {"queue.max_receive_count": "5"},
        (
            "patterns.orders.queue.max_receive_count: got the text '5'; allowed: a whole number from 1 to 1,000 receives "
            "before the dead-letter queue; default 5; remove the quotes"
        ),
    ),
    (
        {"pattern": ...},
        f"patterns.orders.pattern: is missing; allowed: {', '.join(PATTERNS)}; add `pattern: queue-worker`",
    ),
    (
        {"scaling": [{"min": 1}]},
        "patterns.orders.scaling: expected a map of settings, got a list of 1; write `key: value` lines, without dashes",
    ),
    (
        {"handler": {"image": "i", "cpu": 256, "memory_mib": 4096}},
        (
            "patterns.orders.handler.memory_mib: memory_mib is 4096; with cpu 256 allowed is 512, 1024, 2048; or keep the "
            "memory with cpu 512, 1024, 2048"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "line"), EIGHT_KINDS, ids=lambda value: str(value)[:40])
def test_each_kind_of_mistake_is_one_line_with_its_path(changes: dict[str, Any], line: str):
    assert problems(changes) == (line,)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"handler": ...}, "patterns.orders.handler: is missing; allowed: the container that runs the handler"),
        (
            {"handler": {"cpu": 256}},
            "patterns.orders.handler: set exactly one of image (a reference) and build (a Dockerfile)",
        ),
        ({"handler.build": {}}, "patterns.orders.handler: set exactly one of image (a reference) and build"),
        ({"handler.environment": {"QUEUE_URL": "x"}}, "patterns.orders.handler.environment: QUEUE_URL is set by"),
        (
            {"handler.permissions": [{"actions": ["s3:*"], "resources": ["arn:aws:s3:::b"]}]},
            "patterns.orders.handler.permissions[0].actions[0]: got 's3:*'; allowed: exact IAM actions",
        ),
        (
            {"handler.log_retention_days": 8},
            "patterns.orders.handler.log_retention_days: is 8; CloudWatch Logs offers 1, 3",
        ),
        ({"handler.cpu": 300}, "patterns.orders.handler.cpu: is 300; allowed: 256, 512, 1024"),
        ({"handler.cpu": 1024}, "patterns.orders.handler.memory_mib: memory_mib is 512; with cpu 1024 allowed is 2048"),
        ({"events.detail_type": ["x"]}, "patterns.orders.events.detail_type: no event has this field"),
        ({"events.source": "x"}, "patterns.orders.events.source: expected a list of values, got 'x'; write ['x']"),
        (
            {"scaling": {"processing_seconds": 901}},
            "patterns.orders.scaling.processing_seconds: is 901, more than acceptable_latency_seconds (900)",
        ),
        (
            {"queue.visibility_timeout_seconds": 1, "scaling.processing_seconds": 2.5},
            "patterns.orders: queue.visibility_timeout_seconds is 1, less than scaling.processing_seconds (2.5)",
        ),
        ({"queue.message_group_id": "g"}, "patterns.orders.queue: message_group_id needs fifo: true"),
        ({"scaling.policy": "cpu"}, "patterns.orders.scaling.policy: got 'cpu'; allowed: backlog-per-task"),
        ({"handler.command": "queue"}, "patterns.orders.handler.command: expected a list, got 'queue'"),
        ({"capacity.spot": "yes"}, "patterns.orders.capacity.spot: got the text 'yes'; allowed: true or false"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_other_mistakes_are_lines_of_the_same_form(changes: dict[str, Any], line: str):
    (found,) = problems(changes)
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("shared", "line"),
    [
        ({"paterns": {}}, "paterns: there is no such setting; did you mean 'patterns'?"),
        ({"network": {"nat": "gatway"}}, "network.nat: got 'gatway'; allowed: none (tasks in public subnets"),
        ({"network": {"vpc_id": "vpc-1"}}, "network: vpc_id needs subnet_ids"),
        ({"network": {"subnet_ids": ["subnet-1"]}}, "network: subnet_ids needs vpc_id"),
        ({"network": {"nat_gateways": 3}}, "network: nat_gateways is 3, more than availability_zones (2)"),
        ({"network": {"cidr": "10.0.0.0/8"}}, "network.cidr: got '10.0.0.0/8'; allowed: an IPv4 range from /16 to /22"),
        (
            {"bus": {"publisher_accounts": [123456789012]}},
            "bus.publisher_accounts[0]: got 123456789012; allowed: account",
        ),
        ({"alarms": {"emails": ["a@example.com"]}}, "alarms: emails needs topic: true, or nothing is ever sent"),
        (
            {"alarms": {"topic": True, "emails": ["nobody"]}},
            "alarms.emails[0]: got 'nobody'; allowed: e-mail addresses",
        ),
        ({"patterns": [1]}, "patterns: expected a map of settings, got a list of 1"),
        ({"patterns": {"orders": []}}, "patterns.orders: expected a map of settings, got a list of 0"),
        ({"patterns": {"Orders": {}}}, "patterns.Orders: name 'Orders': use lower-case letters"),
        (
            {"patterns": {"a" * 29: {}}},
            f"patterns.{'a' * 29}: name '{'a' * 29}': 29 characters, at most 28 are allowed",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_mistakes_in_shared_settings(shared: dict[str, Any], line: str):
    (found,) = problems(**shared)
    assert found.startswith(line)


def test_every_mistake_is_reported_at_once_and_the_stack_is_named():
    with pytest.raises(SettingsError) as caught:
        settings({"scaling.min": -1, "queue.fifoo": True, "pattern": "queue-worker"}, network={"nat": "x"})
    assert str(caught.value).startswith("Pulumi.dev.yaml: 3 mistakes, nothing was deployed\n  network.nat: got 'x'")
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "network.nat",
        "patterns.orders.queue.fifoo",
        "patterns.orders.scaling.min",
    ]


@given(
    st.dictionaries(
        st.sampled_from(["network", "bus", "patterns", "alarms", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["orders", "pattern", "handler", "nat", "scaling", "max", "y"]), inner
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_settings_are_loaded_or_refused_with_paths(document: dict[str, Any]):
    lines = ["no: mistake"]
    try:
        parse({key: json.dumps(value) for key, value in document.items()}, "dev")
    except SettingsError as error:
        lines = list(error.problems)
    assert lines
    assert all(": " in line and "\n" not in line for line in lines)


@given(st.integers(-5, 30), st.integers(-5, 30))
def test_bounds_are_accepted_exactly_when_they_are_ordered(least: int, most: int):
    try:
        settings({"scaling": {"min": least, "max": most}})
        accepted = True
    except SettingsError:
        accepted = False
    assert accepted == (0 <= least <= most and most >= 1)
