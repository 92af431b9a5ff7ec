"""The source `activity` on the embedded AWS: tasks of an activity, whatever happens to their workers."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from contracts import environment as names
from tests.emulator import Account
from tests.worker.support import envelope, wait_for
from tests.worker.workflow.support import RETRY, Machine

ACTIVITY = ["ActivityScheduled", "ActivityStarted"]


@pytest.fixture
def machine(account: Account, tmp_path: Path) -> Machine:
    return Machine(account, tmp_path)


def test_tasks_are_handled_side_by_side_and_their_results_are_the_states_output(machine: Machine) -> None:
    executions = [
        machine.start(machine.activity(), json.loads(envelope(f"k{number}", gate=1, returns={"n": number})))
        for number in range(4)
    ]
    with machine.worker(CONCURRENCY="4") as worker:
        wait_for("all four at a time", lambda: machine.shop.more_calls_than(3))
        machine.shop.open_gate()
        ended = [machine.wait(arn) for arn in executions]
        assert [json.loads(item["output"]) for item in ended] == [{"n": number} for number in range(4)]
        for arn in executions:
            assert machine.history(arn)[2:5] == [*ACTIVITY, "ActivitySucceeded"]
    assert machine.shop.attempts() == dict.fromkeys(["k0#Work", "k1#Work", "k2#Work", "k3#Work"], 1)
    assert worker.outcomes() == {"handled": 4}


def test_a_failure_has_the_exceptions_name_and_is_retried_and_a_refusal_is_not(machine: Machine) -> None:
    failing = machine.start(machine.activity(), json.loads(envelope("a", fail=1)))
    refused = machine.start(machine.activity(), json.loads(envelope("b", poison=True)))
    plain = machine.start(machine.activity(), {"Key": "photo.jpg"})
    with machine.worker(CONCURRENCY="2"):
        assert machine.wait(failing)["status"] == "SUCCEEDED"
        assert machine.history(failing)[2:8] == [*ACTIVITY, "ActivityFailed", *ACTIVITY, "ActivitySucceeded"]
        found = machine.wait(refused)
        assert (found["status"], found["error"]) == ("FAILED", "Worker.Refused")
        assert found["cause"].startswith("NonRetryableError: poison in b")
        assert machine.history(refused)[2:] == [*ACTIVITY, "ActivityFailed", "ExecutionFailed"]
        assert machine.wait(plain)["status"] == "SUCCEEDED"
    attempts = machine.shop.attempts()
    assert attempts.pop(f"{plain}#Work") == 1
    assert attempts == {"a#Work": 2, "b#Work": 1}


@pytest.mark.soak
def test_a_killed_worker_is_noticed_by_its_heart_and_another_one_does_the_work_once(machine: Machine) -> None:
    heart = {names.HEARTBEAT_SECONDS: "6"}
    execution = machine.start(machine.activity(HeartbeatSeconds=6), json.loads(envelope("a", gate=1)))
    first = machine.work("activity", **heart)
    wait_for("the handler", lambda: machine.shop.more_calls_than(0))
    with machine.worker(**heart):
        first.kill()
        machine.shop.open_gate()
        assert machine.wait(execution)["status"] == "SUCCEEDED"
    assert machine.history(execution)[2:8] == [*ACTIVITY, "ActivityTimedOut", *ACTIVITY, "ActivitySucceeded"]
    assert machine.shop.attempts() == {"a#Work": 2}
    assert len(machine.shop.calls("end")) == 1


@pytest.mark.soak
def test_long_work_keeps_its_heart_beating(machine: Machine) -> None:
    execution = machine.start(machine.activity(Retry=[], HeartbeatSeconds=6), json.loads(envelope("a", seconds=9)))
    with machine.worker(**{names.HEARTBEAT_SECONDS: "6"}):
        assert machine.wait(execution)["status"] == "SUCCEEDED"
    assert machine.shop.attempts() == {"a#Work": 1}


@pytest.mark.soak
def test_sigterm_gives_work_back_that_outlasts_the_drain_and_another_one_begins_at_once(machine: Machine) -> None:
    execution = machine.start(machine.activity(HeartbeatSeconds=60), json.loads(envelope("a", gate=1)))
    with machine.worker(**{names.STOP_TIMEOUT_SECONDS: "4", names.HEARTBEAT_SECONDS: "60"}) as first:
        wait_for("the handler", lambda: machine.shop.more_calls_than(0))
        assert first.stop() == 3, first.text()
        assert first.outcomes() == {"given-back": 1}
        machine.shop.open_gate()
        with machine.worker(**{names.HEARTBEAT_SECONDS: "60"}):
            assert machine.wait(execution)["status"] == "SUCCEEDED"
    assert machine.history(execution)[2:8] == [*ACTIVITY, "ActivityFailed", *ACTIVITY, "ActivitySucceeded"]
    assert len(machine.shop.calls("end")) == 1


def test_a_task_that_comes_while_the_worker_stops_is_given_back(machine: Machine) -> None:
    with machine.worker() as first:
        wait_for("the poll", lambda: "polling the activity" in first.text())
        first.process.send_signal(signal.SIGTERM)
        execution = machine.start(machine.activity(HeartbeatSeconds=60), json.loads(envelope("a")))
        assert first.process.wait(60) == 0
    with machine.worker():
        assert machine.wait(execution)["status"] == "SUCCEEDED"
    assert machine.shop.attempts() == {"a#Work": 1}
    failed = machine.history(execution).count("ActivityFailed")
    assert first.outcomes().get("given-back", 0) == failed


@pytest.mark.soak
def test_a_step_that_nobody_waits_for_ends_without_a_report_and_the_worker_goes_on(machine: Machine) -> None:
    with machine.worker() as worker:
        wait_for("the poll", lambda: "polling the activity" in worker.text())
        state = machine.activity(TimeoutSeconds=5, HeartbeatSeconds=4, Retry=[])
        late = machine.start(state, json.loads(envelope("a", gate=1)))
        found = machine.wait(late)
        assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")
        assert machine.history(late)[2:] == [*ACTIVITY, "ActivityTimedOut", "ExecutionFailed"]
        again = machine.start(machine.activity(), json.loads(envelope("a", gate=1)))
        machine.shop.open_gate()
        assert machine.wait(again)["status"] == "SUCCEEDED"
        wait_for("both outcomes", lambda: sum(worker.outcomes().values()) == 2)
        assert worker.outcomes() == {"lost": 1, "duplicate": 1}
    assert machine.shop.attempts() == {"a#Work": 1}


def test_a_result_that_does_not_fit_is_a_truthful_failure(machine: Machine) -> None:
    retry = [{"ErrorEquals": ["Worker.ResultTooLarge"], "MaxAttempts": 0}, *RETRY]
    execution = machine.start(machine.activity(Retry=retry), json.loads(envelope("a", returns={"x": "y" * 270_000})))
    with machine.worker():
        found = machine.wait(execution)
    assert (found["status"], found["error"]) == ("FAILED", "Worker.ResultTooLarge")
    assert "270,009 bytes" in found["cause"]


def test_an_activity_that_is_not_there_or_not_named_ends_the_worker_with_a_reason(machine: Machine) -> None:
    with machine.worker(**{names.ACTIVITY_ARN: machine.activity_arn + "x"}) as worker:
        assert worker.process.wait(60) == 1
        assert "Activity Does Not Exist" in worker.text()
    with machine.worker(**{names.ACTIVITY_ARN: "resize", names.HEARTBEAT_SECONDS: ""}) as worker:
        assert worker.process.wait(60) == 2
        assert worker.text() == (
            "worker: ACTIVITY_ARN: 'resize' is not an activity; allowed: arn:…:activity:name\n"
            "worker: WORKFLOW_HEARTBEAT_SECONDS: not set; set it to HeartbeatSeconds of the state\n"
        )
