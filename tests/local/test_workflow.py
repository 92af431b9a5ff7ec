"""A workflow from end to end, on the real program: event → rule → state machine → tasks → effects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.local.deployed import Deployed, deployed, eventually, order

pytestmark = pytest.mark.timeout(240)

RUN = ["TaskScheduled", "TaskStarted", "TaskSubmitted"]


def handler(root: Path, function: str = "step") -> dict[str, Any]:
    return {
        "function": f"tests.local.step_handlers:{function}",
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects")},
        "stop_timeout_seconds": 10,
    }


def settings(root: Path, *steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    retry = {"attempts": 1, "interval_seconds": 1, "max_delay_seconds": 2}
    return {
        "pattern": "workflow",
        "events": {"source": ["pizza.service.com"]},
        "steps": [
            {
                "handler": handler(root),
                **({} if step["kind"] == "request-response" else {"retry": retry, "timeout_seconds": 60}),
                **step,
            }
            for step in steps
        ],
        **changes,
    }


def executions(stack: Deployed) -> dict[str, dict[str, Any]]:
    """Executions by the idempotency key of their event."""
    machine = stack.manifest.state_machine
    assert machine is not None
    states = stack.client("stepfunctions")
    found = [
        states.describe_execution(executionArn=item["executionArn"])
        for item in states.list_executions(stateMachineArn=machine.arn)["executions"]
    ]
    return {json.loads(item["input"])["detail"]["metadata"]["idempotency-key"]: item for item in found}


def ended(stack: Deployed, *keys: str) -> list[dict[str, Any]]:
    """The executions of these events, once all have ended."""

    def all_ended() -> bool:
        found = executions(stack)
        return all(key in found and found[key]["status"] != "RUNNING" for key in keys)

    eventually(all_ended, 120, lambda: executions(stack))
    found = executions(stack)
    return [found[key] for key in keys]


def history(stack: Deployed, execution: dict[str, Any], state: str) -> list[str]:
    """The types of the events between the entry of a state and its exit, or the end."""
    states = stack.client("stepfunctions")
    events = states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"]
    names = [event.get("stateEnteredEventDetails", {}).get("name") for event in events]
    after = [event["type"] for event in events[names.index(state) + 1 :]]
    return after[: next(n for n, kind in enumerate(after) if kind.endswith("StateExited") or kind.startswith("Exec"))]


def test_the_four_kinds_succeed_fail_and_hand_their_results_on(tmp_path: Path):
    root = tmp_path / "checkout"
    steps: list[dict[str, Any]] = [
        {"name": "check", "kind": "sync"},
        {"name": "bake", "kind": "callback", "heartbeat_seconds": 20},
        {"name": "label", "kind": "activity", "heartbeat_seconds": 20},
        {"name": "tell", "kind": "request-response"},
    ]
    with deployed(root, settings(root, *steps), "--auth") as stack:
        # WHEN one order goes well, and others fail in each of the steps
        names = {"good": "margherita", "check": "fail-check", "bake": "fail-bake", "label": "refuse-label"}
        stack.send([order(key, name=name) for key, name in names.items()])
        good, check, bake, label = ended(stack, *names)
        # THEN the good one has every result, each step having seen those before it
        assert good["status"] == "SUCCEEDED", good
        results = json.loads(good["output"])["steps"]
        assert results["bake"] == {"baked": "margherita", "before": ["check"]}
        assert results["label"] == {"baked": "margherita", "before": ["bake", "check"]}
        assert results["check"]["task"].startswith("arn:aws:ecs:")
        assert (len(results["tell"]["started"]), results["tell"]["failures"]) == (1, [])
        assert history(stack, good, "check") == [*RUN, "TaskSucceeded"]
        assert history(stack, good, "bake") == [*RUN, "TaskSucceeded"]
        assert history(stack, good, "label") == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
        assert history(stack, good, "tell") == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]
        # AND a failure is retried as often as the settings say, a refusal never
        assert (check["status"], check["error"]) == ("FAILED", "States.TaskFailed")
        assert json.loads(check["cause"])["Containers"][0]["ExitCode"] == 1
        assert history(stack, check, "check") == [*RUN, "TaskFailed", *RUN, "TaskFailed"]
        assert (bake["error"], bake["cause"]) == ("RuntimeError", "no bake today")
        assert history(stack, bake, "bake") == [*RUN, "TaskFailed", *RUN, "TaskFailed"]
        assert (label["error"], label["cause"]) == ("Worker.Refused", "NonRetryableError: never a label")
        assert history(stack, label, "label") == ["ActivityScheduled", "ActivityStarted", "ActivityFailed"]
        # AND every effect happened once; that of the last step nobody waits for
        done = {"good#check", "good#bake", "good#label", "good#tell", "bake#check", "label#check", "label#bake"}
        eventually(lambda: stack.effects().keys() == done, 30, stack.effects)
        assert set(stack.effects().values()) == {1}
        # AND the status tells of them
        (status,) = json.loads(stack.ops("status", "orders", "--output", "json").stdout)
        assert (status["executions"]["running"], status["executions"]["failed"]) == (0, 3)


@pytest.mark.parametrize("kind", ["callback", "activity", "sync"])
def test_a_killed_worker_is_noticed_and_another_one_does_the_work_once(tmp_path: Path, kind: str):
    root = tmp_path / "checkout"
    beat = {} if kind == "sync" else {"heartbeat_seconds": 15}
    step = {"name": "bake", "kind": kind, "handler": handler(root, "bake_slowly"), **beat}
    with deployed(root, settings(root, step)) as stack:
        stack.send([order("a")])
        attempts = root / "effects.attempts"
        # GIVEN a worker in the middle of its work
        eventually(lambda: _handled(stack) > 0, 60, lambda: executions(stack))
        # WHEN it is killed
        assert stack.kill_a_task(lambda alive: alive[0])
        # THEN the state machine misses its heart (or sees the task's end), and the work is done by another one
        (execution,) = ended(stack, "a")
        assert execution["status"] == "SUCCEEDED", execution
        first, last = {
            "callback": ("TaskTimedOut", "TaskSucceeded"),
            "activity": ("ActivityTimedOut", "ActivitySucceeded"),
            "sync": ("TaskFailed", "TaskSucceeded"),
        }[kind]
        kinds = history(stack, execution, "bake")
        assert [item for item in kinds if item in (first, last)] == [first, last]
        assert dict(stack.effects()) == {"a#bake": 1}
        assert attempts.read_text().split() == ["a#bake"]


def _handled(stack: Deployed) -> int:
    """How many idempotency keys are taken."""
    table = stack.manifest.idempotency_table
    found: int = stack.client("dynamodb").scan(TableName=table, Select="COUNT")["Count"]
    return found
