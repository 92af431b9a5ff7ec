"""The source `callback` on the embedded AWS: one token, one report, whatever happens in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts import environment as names
from tests.emulator import Account
from tests.worker.support import Worker, envelope, wait_for
from tests.worker.workflow.support import Machine

CALLBACK = ["TaskScheduled", "TaskStarted", "TaskSubmitted"]


@pytest.fixture
def machine(account: Account, tmp_path: Path) -> Machine:
    return Machine(account, tmp_path)


def finish(worker: Worker) -> int:
    return worker.process.wait(60)


def test_the_result_is_reported_and_a_later_attempt_reports_the_same_without_a_second_call(machine: Machine) -> None:
    for outcome in ("handled", "duplicate"):
        execution = machine.start(machine.callback(), json.loads(envelope("a", returns={"baked": True})))
        worker = machine.work("callback", **machine.callback_environment())
        assert finish(worker) == 0, worker.text()
        found = machine.wait(execution)
        assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"baked": True})
        assert machine.history(execution)[2:6] == [*CALLBACK, "TaskSucceeded"]
        assert worker.outcomes() == {outcome: 1}
    assert machine.shop.attempts() == {"a#Work": 1}


def test_a_failure_has_the_exceptions_name_and_the_exit_code_says_whether_a_retry_helps(machine: Machine) -> None:
    execution = machine.start(machine.callback(), json.loads(envelope("a", fail=1)))
    assert finish(machine.work("callback", **machine.callback_environment())) == 1
    found = machine.wait(execution)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "RuntimeError", "failure 1 of a#Work")
    assert machine.history(execution)[2:] == [*CALLBACK, "TaskFailed", "ExecutionFailed"]
    execution = machine.start(machine.callback(), json.loads(envelope("b", poison=True)))
    assert finish(machine.work("callback", **machine.callback_environment())) == 4
    assert machine.wait(execution)["error"] == "Worker.Refused"


def test_an_input_that_is_no_event_is_the_data_and_a_malformed_one_is_refused(machine: Machine) -> None:
    execution = machine.start(machine.callback(), {"returns": {"n": 1}})
    assert finish(machine.work("callback", **machine.callback_environment())) == 0
    assert json.loads(machine.wait(execution)["output"]) == {"n": 1}
    execution = machine.start(machine.callback(), {"detail-type": "OrderCreated"})
    assert finish(machine.work("callback", **machine.callback_environment())) == 4
    assert "EventError: detail: expected an object" in machine.wait(execution)["cause"]
    execution = machine.start(machine.callback(), {})
    variables = {**machine.callback_environment(), names.STEP_INPUT: "[1]"}
    assert finish(machine.work("callback", **variables)) == 4
    assert "expected an object, got list" in machine.wait(execution)["cause"]


def test_sigterm_reports_an_interruption_that_can_be_retried(machine: Machine) -> None:
    execution = machine.start(machine.callback(HeartbeatSeconds=60), json.loads(envelope("a", seconds=60)))
    variables = {**machine.callback_environment(), names.STOP_TIMEOUT_SECONDS: "2"}
    worker = machine.work("callback", **variables)
    wait_for("the handler", lambda: machine.shop.more_calls_than(0))
    assert worker.stop() == 3
    assert machine.wait(execution)["error"] == "Worker.Interrupted"
    assert worker.outcomes() == {"given-back": 1}
    assert machine.shop.records() == []  # another one does not wait for a lease to end


@pytest.mark.soak
def test_a_container_whose_state_has_timed_out_stops_its_work(machine: Machine) -> None:
    execution = machine.start(
        machine.callback(TimeoutSeconds=4, HeartbeatSeconds=3), json.loads(envelope("a", seconds=30))
    )
    worker = machine.work("callback", **machine.callback_environment())
    assert machine.wait(execution)["error"] == "States.Timeout"
    assert finish(worker) == 3
    assert worker.outcomes() == {"lost": 1}
    assert machine.history(execution)[2:] == [*CALLBACK, "TaskTimedOut", "ExecutionFailed"]
    assert machine.shop.calls("end") == []


@pytest.mark.soak
def test_the_missing_heart_of_a_killed_container_ends_the_state(machine: Machine) -> None:
    execution = machine.start(machine.callback(HeartbeatSeconds=5), json.loads(envelope("a", seconds=60)))
    worker = machine.work("callback", **machine.callback_environment())
    wait_for("the handler", lambda: machine.shop.more_calls_than(0))
    worker.kill()
    assert machine.wait(execution)["error"] == "States.Timeout"
    assert machine.history(execution)[2:] == [*CALLBACK, "TaskTimedOut", "ExecutionFailed"]


def test_without_a_token_the_message_says_what_is_missing(machine: Machine) -> None:
    worker = machine.work("callback", **{names.HEARTBEAT_SECONDS: "1"})
    assert finish(worker) == 2
    assert worker.text() == (
        "worker: WORKFLOW_TASK_TOKEN: not set; set it to the task token, $$.Task.Token of the state\n"
        "worker: WORKFLOW_HEARTBEAT_SECONDS: 1 is out of range; allowed: 3 to 86,400\n"
    )
