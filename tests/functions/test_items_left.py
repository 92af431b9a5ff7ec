"""The function that counts what the maps of a pool have left, against Step Functions of the embedded AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from contracts import metrics
from functions import items_left
from tests.emulator import Account
from tests.ops.local.server.helpers import wait_until


class Waiting:
    """A state machine whose map of five batches waits for an activity that nobody polls."""

    def __init__(self, account: Account) -> None:
        self.states = account.client("stepfunctions")
        self.activity = self.states.create_activity(name="work")["activityArn"]
        work = {"Type": "Task", "Resource": self.activity, "TimeoutSeconds": 60, "HeartbeatSeconds": 30, "End": True}
        processor = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "W",
            "States": {"W": work},
        }
        state = {
            "Type": "Map",
            "ItemsPath": "$",
            "ItemProcessor": processor,
            "ItemBatcher": {"MaxItemsPerBatch": 2},
            "MaxConcurrency": 3,
            "End": True,
        }
        self.arn = self.states.create_state_machine(
            name="m",
            definition=json.dumps({"StartAt": "M", "States": {"M": state}}),
            roleArn=f"arn:aws:iam::{account.id}:role/states",
        )["stateMachineArn"]

    def start(self) -> str:
        return str(
            self.states.start_execution(stateMachineArn=self.arn, input=json.dumps(list(range(10))))["executionArn"]
        )

    def finish_one(self) -> None:
        token = self.states.get_activity_task(activityArn=self.activity)["taskToken"]
        self.states.send_task_success(taskToken=token, output="{}")


@pytest.fixture
def waiting(account: Account) -> Waiting:
    return Waiting(account)


def test_waiting_and_running_items_of_all_executions_are_counted(waiting: Waiting):
    assert items_left.items_left(waiting.states, waiting.arn) == 0
    executions = [waiting.start(), waiting.start()]
    wait_until(lambda: items_left.items_left(waiting.states, waiting.arn) == 20, "20 items")
    waiting.finish_one()
    wait_until(lambda: items_left.items_left(waiting.states, waiting.arn) == 18, "a batch less")
    for execution in executions:
        waiting.states.stop_execution(executionArn=execution)
    assert items_left.items_left(waiting.states, waiting.arn) == 0


def test_the_count_is_published_also_when_it_is_zero(
    waiting: Waiting, account: Account, monkeypatch: pytest.MonkeyPatch
):
    cloudwatch = account.client("cloudwatch")
    monkeypatch.setenv("STATE_MACHINE_ARN", waiting.arn)
    monkeypatch.setenv("EDA_STACK", "test")
    monkeypatch.setenv("EDA_PATTERN", "thumbs")
    monkeypatch.setattr(items_left, "_clients", lambda: (waiting.states, cloudwatch))
    assert items_left.handle({}, None) == {"items_left": 0}
    now = datetime.now(UTC)
    found: dict[str, Any] = cloudwatch.get_metric_statistics(
        Namespace=metrics.NAMESPACE,
        MetricName=metrics.ITEMS_LEFT,
        Dimensions=[{"Name": "Stack", "Value": "test"}, {"Name": "Pattern", "Value": "thumbs"}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["SampleCount", "Maximum"],
    )
    assert [(point["SampleCount"], point["Maximum"]) for point in found["Datapoints"]] == [(1.0, 0.0)]


def test_nothing_is_published_when_step_functions_does_not_answer(waiting: Waiting, monkeypatch: pytest.MonkeyPatch):
    class Silent:
        def put_metric_data(self, **_: object) -> None:
            raise AssertionError("0 would put the pool to sleep")

    monkeypatch.setenv("STATE_MACHINE_ARN", waiting.arn)
    monkeypatch.setenv("EDA_STACK", "test")
    monkeypatch.setenv("EDA_PATTERN", "thumbs")
    monkeypatch.setattr(items_left, "_clients", lambda: (waiting.states, Silent()))
    with Stubber(waiting.states) as stubber:
        stubber.add_client_error("list_executions", "ThrottlingException", "Rate exceeded", 400)
        with pytest.raises(ClientError, match="ThrottlingException"):
            items_left.handle({}, None)
