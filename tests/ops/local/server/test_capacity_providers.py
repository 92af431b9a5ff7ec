"""Spreading tasks over Fargate and Fargate Spot."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest

from ops.local.server.capacity_providers import next_provider
from tests.ops.local.server.helpers import Fargate

RUN = ["exec sleep 600"]
MIXED = [
    {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
    {"capacityProvider": "FARGATE_SPOT", "weight": 3},
]


def _place(strategy: list[dict[str, Any]], count: int) -> Counter[str]:
    placed: Counter[str] = Counter()
    for _ in range(count):
        placed[next_provider(strategy, placed)] += 1
    return placed


@pytest.mark.parametrize(
    ("strategy", "count", "expected"),
    [
        (MIXED, 1, {"FARGATE": 1}),
        (MIXED, 4, {"FARGATE": 1, "FARGATE_SPOT": 3}),
        (MIXED, 9, {"FARGATE": 3, "FARGATE_SPOT": 6}),
        ([{"capacityProvider": "A", "base": 2}, {"capacityProvider": "B", "weight": 1}], 5, {"A": 2, "B": 3}),
        ([{"capacityProvider": "A", "weight": 1}, {"capacityProvider": "B", "weight": 1}], 6, {"A": 3, "B": 3}),
    ],
)
def test_base_then_weights(strategy: list[dict[str, Any]], count: int, expected: dict[str, int]) -> None:
    assert _place(strategy, count) == expected


def test_a_service_spreads_and_replaces_a_reclaimed_spot_task(fargate: Fargate, emulator: str) -> None:
    fargate.create_service("s", fargate.define("s", RUN), 3, capacityProviderStrategy=MIXED)
    tasks = fargate.wait_for_running("s", 3)
    assert Counter(task["capacityProviderName"] for task in tasks) == {"FARGATE": 1, "FARGATE_SPOT": 2}
    assert {task["launchType"] for task in tasks} == {"FARGATE"}
    spot = next(task["taskArn"] for task in tasks if task["capacityProviderName"] == "FARGATE_SPOT")
    assert _reclaim(emulator, spot) == {"task": spot, "reclaimed": True}
    stopped = fargate.wait_for(spot, "STOPPED")
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert stopped["containers"][0]["exitCode"] == 143
    tasks = fargate.wait_for_running("s", 3)
    assert Counter(task["capacityProviderName"] for task in tasks) == {"FARGATE": 1, "FARGATE_SPOT": 2}


def test_only_spot_tasks_are_reclaimed(fargate: Fargate, emulator: str) -> None:
    arn = fargate.run(fargate.define("t", RUN))
    fargate.wait_for(arn, "RUNNING")
    with pytest.raises(urllib.error.HTTPError) as refused:
        _reclaim(emulator, arn)
    assert "not on FARGATE_SPOT" in json.load(refused.value)["message"]
    with pytest.raises(urllib.error.HTTPError):
        _reclaim(emulator, "none")
    assert fargate.task(arn)["desiredStatus"] == "RUNNING"


def _reclaim(emulator: str, task: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{emulator}/_local/reclaim-spot", data=json.dumps({"task": task}).encode(), method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        shown: dict[str, Any] = json.load(answer)
    return shown
