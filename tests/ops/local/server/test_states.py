"""Step Functions of the embedded AWS: what becomes of a task, told by the execution's history."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ops.local.server.states_retries import Retries, catcher_of
from ops.local.server.states_tokens import Token, open_token, owner_of
from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, wait_until

RUN_TASK = "arn:aws:states:::ecs:runTask"
SCHEDULED = ["TaskScheduled", "TaskStarted"]


class States:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.client = account.client("stepfunctions")
        self._number = 0

    def start(self, state: dict[str, Any], **definition: Any) -> str:
        """Run a state machine of this one task."""
        self._number += 1
        document = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "End": True, **state}}, **definition}
        arn = self.client.create_state_machine(
            name=f"m{self._number}",
            definition=json.dumps(document),
            roleArn=f"arn:aws:iam::{self.account.id}:role/states",
        )["stateMachineArn"]
        return str(self.client.start_execution(stateMachineArn=arn, input="{}")["executionArn"])

    def wait(self, arn: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.describe_execution(executionArn=arn)
            return None if found["status"] == "RUNNING" else found

        return wait_until(ended, "the execution's end") or {}

    def events(self, arn: str) -> list[dict[str, Any]]:
        """Everything after the state was entered."""
        found: list[dict[str, Any]] = self.client.get_execution_history(executionArn=arn)["events"]
        return found[2:]

    def history(self, arn: str) -> list[str]:
        return [event["type"] for event in self.events(arn)]


@pytest.fixture
def states(account: Account) -> States:
    return States(account)


def run_task(fargate: Fargate, definition: str, mode: str = "", **state: Any) -> dict[str, Any]:
    parameters = {"Cluster": fargate.cluster, "TaskDefinition": definition, "LaunchType": "FARGATE"}
    return {"Resource": RUN_TASK + mode, "Parameters": parameters, **state}


def test_request_response_goes_on_with_tasks_and_failures(states: States, fargate: Fargate) -> None:
    arn = states.start(run_task(fargate, fargate.define("sleeper", ["sleep 60"])))
    output = json.loads(states.wait(arn)["output"])
    assert output["Failures"] == []
    task = fargate.task(output["Tasks"][0]["TaskArn"])
    assert (task["lastStatus"] != "STOPPED", task["startedBy"]) == (True, "AWS Step Functions")
    assert states.history(arn)[:3] == [*SCHEDULED, "TaskSucceeded"]
    details = states.events(arn)[0]["taskScheduledEventDetails"]
    assert (details["resourceType"], details["resource"]) == ("ecs", "runTask")


def test_sync_returns_the_task_and_fails_with_it(states: States, fargate: Fargate) -> None:
    arn = states.start(run_task(fargate, fargate.define("good", ["exit 0"]), ".sync"))
    task = json.loads(states.wait(arn)["output"])
    assert (task["LastStatus"], task["Containers"][0]["ExitCode"]) == ("STOPPED", 0)
    assert states.history(arn)[:4] == [*SCHEDULED, "TaskSubmitted", "TaskSucceeded"]

    arn = states.start(run_task(fargate, fargate.define("bad", ["exit 3"]), ".sync"))
    failed = states.wait(arn)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(failed["cause"])["Containers"][0]["ExitCode"] == 3
    assert "output" not in failed
    assert states.history(arn) == [*SCHEDULED, "TaskSubmitted", "TaskFailed", "ExecutionFailed"]

    arn = states.start(run_task(fargate, fargate.define("never", [], image="unknown"), ".sync"))
    failed = states.wait(arn)
    assert (failed["error"], json.loads(failed["cause"])["StopCode"]) == ("States.TaskFailed", "TaskFailedToStart")


@pytest.mark.parametrize("end", ["timeout", "stop"])
def test_sync_stops_its_task_when_the_state_ends_first(states: States, fargate: Fargate, end: str) -> None:
    definition = fargate.define("sleeper", ["sleep 60"])
    arn = states.start(run_task(fargate, definition, ".sync", **({"TimeoutSeconds": 2} if end == "timeout" else {})))

    def submitted() -> list[dict[str, Any]]:
        return [event for event in states.events(arn) if event["type"] == "TaskSubmitted"]

    (event,) = wait_until(submitted, "the task")
    task_arn = json.loads(event["taskSubmittedEventDetails"]["output"])["Tasks"][0]["TaskArn"]
    if end == "stop":
        states.client.stop_execution(executionArn=arn)
        assert states.wait(arn)["status"] == "ABORTED"
    else:
        assert states.wait(arn)["error"] == "States.Timeout"
        assert states.history(arn)[-2:] == ["TaskTimedOut", "ExecutionFailed"]
    assert fargate.wait_for(task_arn, "STOPPED")["stopCode"] == "UserInitiated"
    assert states.wait(arn)["status"] == ("ABORTED" if end == "stop" else "FAILED")


def test_what_was_not_started_is_a_failure_where_something_waits_for_it(states: States, fargate: Fargate) -> None:
    limits = fargate.account.client("sqs").meta.endpoint_url + "/_local/run-task-limits"
    _put(limits, {"account": fargate.account.id, "per_second": 100, "failure_share": 0.99})
    definition = fargate.define("sleeper", ["sleep 60"])
    fargate.ecs.run_task(cluster=fargate.cluster, taskDefinition=definition, launchType="FARGATE")
    quiet = states.start(run_task(fargate, definition))
    output = json.loads(states.wait(quiet)["output"])
    assert (output["Tasks"], len(output["Failures"])) == ([], 1)
    for mode in (".sync", ".waitForTaskToken"):
        failed = states.wait(states.start(run_task(fargate, definition, mode)))
        assert failed["error"] == "AmazonECS.Unknown"
        assert "Capacity is unavailable" in failed["cause"]
    _put(limits, {"account": fargate.account.id, "per_second": 0.001})
    states.wait(states.start(run_task(fargate, definition)))
    throttled = states.start(run_task(fargate, definition))
    failed = states.wait(throttled)
    assert (failed["error"], "ThrottlingException" in failed["cause"]) == ("ECS.AmazonECSException", True)


def _put(url: str, document: dict[str, Any]) -> None:
    import urllib.request

    request = urllib.request.Request(url, json.dumps(document).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=60).close()


def test_a_state_machine_times_out_as_a_whole_and_a_late_report_is_told_so(states: States) -> None:
    activity = states.client.create_activity(name="resize")["activityArn"]
    arn = states.start({"Resource": activity}, TimeoutSeconds=5)
    token = states.client.get_activity_task(activityArn=activity, workerName="me")["taskToken"]
    assert states.wait(arn)["status"] == "TIMED_OUT"
    assert states.history(arn) == ["ActivityScheduled", "ActivityStarted", "ExecutionTimedOut"]
    assert states.events(arn)[1]["activityStartedEventDetails"] == {"workerName": "me"}
    for report, more in (
        (states.client.send_task_heartbeat, {}),
        (states.client.send_task_success, {"output": "{}"}),
        (states.client.send_task_failure, {}),
    ):
        with pytest.raises(states.client.exceptions.TaskTimedOut):
            report(taskToken=token, **more)
    with pytest.raises(states.client.exceptions.InvalidToken):
        states.client.send_task_heartbeat(taskToken="nobody's")
    with pytest.raises(states.client.exceptions.InvalidOutput):
        states.client.send_task_success(taskToken=token, output="no JSON")


def test_a_task_that_nobody_polls_waits_and_its_limits_count_from_the_poll(states: States) -> None:
    activity = states.client.create_activity(name="resize")["activityArn"]
    arn = states.start({"Resource": activity, "TimeoutSeconds": 10, "HeartbeatSeconds": 1})
    wait_until(lambda: states.history(arn), "its task")
    time.sleep(1.2)
    assert states.history(arn) == ["ActivityScheduled"]
    states.client.get_activity_task(activityArn=activity)
    assert states.wait(arn)["error"] == "States.Timeout"
    assert states.events(arn)[2]["activityTimedOutEventDetails"] == {"error": "States.Timeout"}


def test_a_heartbeat_that_is_missed_can_be_caught_by_either_name(states: States) -> None:
    activity = states.client.create_activity(name="resize")["activityArn"]
    for name in ("States.HeartbeatTimeout", "States.Timeout"):
        catch = [
            {"ErrorEquals": ["States.TaskFailed"] if name == "States.Timeout" else ["Other"], "Next": "Wrong"},
            {"ErrorEquals": [name], "Next": "Caught"},
        ]
        if name == "States.Timeout":
            catch.pop(0)
        document = {
            "StartAt": "Work",
            "States": {
                "Work": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 1, "Catch": catch, "End": True},
                "Caught": {"Type": "Succeed"},
                "Wrong": {"Type": "Fail"},
            },
        }
        machine = states.client.create_state_machine(
            name=name.replace(".", "-"),
            definition=json.dumps(document),
            roleArn=f"arn:aws:iam::{states.account.id}:role/states",
        )["stateMachineArn"]
        arn = states.client.start_execution(stateMachineArn=machine)["executionArn"]
        states.client.get_activity_task(activityArn=activity)
        assert json.loads(states.wait(arn)["output"]) == {"Error": "States.Timeout", "Cause": ""}


def test_retriers_count_each_for_itself_and_wait_no_longer_than_the_maximum() -> None:
    retries = Retries(
        {
            "Retry": [
                {"ErrorEquals": ["Worker.Refused"], "MaxAttempts": 0},
                {"ErrorEquals": ["ECS.AmazonECSException"], "IntervalSeconds": 4, "MaxDelaySeconds": 10},
                {"ErrorEquals": ["States.Timeout"], "BackoffRate": 1, "MaxAttempts": 1},
                {"ErrorEquals": ["States.TaskFailed"], "JitterStrategy": "FULL", "MaxAttempts": 1},
            ]
        }
    )
    assert retries.delay_seconds("Worker.Refused") is None
    assert [retries.delay_seconds("ECS.AmazonECSException") for _ in range(4)] == [4, 8, 10, None]
    assert [retries.delay_seconds("States.HeartbeatTimeout") for _ in range(2)] == [1, None]
    assert [0 <= (retries.delay_seconds("RuntimeError") or 0) <= 1, retries.delay_seconds("ValueError")] == [True, None]
    assert retries.count == 5
    assert Retries({"Retry": [{"ErrorEquals": ["States.ALL"]}]}).delay_seconds("States.Runtime") is None
    assert catcher_of({"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "x"}]}, "States.Timeout") is None


def test_a_report_is_authorised_on_what_waits_for_it() -> None:
    activity = "arn:aws:states:ap-southeast-2:123456789012:activity:resize"
    token = open_token(activity, lambda: True, timeout_seconds=1, heartbeat_seconds=1)
    assert owner_of(token.text) == activity
    assert owner_of("nobody's") is None


def test_a_report_is_late_from_the_moment_of_the_end_on_although_nobody_has_looked_since() -> None:
    now, alive = [0.0], [True]

    def begun() -> Token:
        now[0], alive[0] = 0.0, True
        token = Token("t", "owner", lambda: alive[0], timeout_seconds=10, heartbeat_seconds=2, clock=lambda: now[0])
        token.begin()
        return token

    # GIVEN reports in time
    token = begun()
    now[0] = 1.9
    assert token.beat()
    now[0] = 3.8
    assert token.report("done")
    assert not token.beat()
    # WHEN a heartbeat is missed, THEN the next one does not bring the task back
    token = begun()
    now[0] = 2.0
    assert not token.beat()
    assert not token.report("done")
    # AND so it is when the execution ends
    token = begun()
    alive[0] = False
    assert not token.beat()
    assert not token.report("done")
