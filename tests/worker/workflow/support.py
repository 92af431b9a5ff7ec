"""A state machine of one task, and worker processes for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts import environment as names
from tests.emulator import Account
from tests.worker.support import Shop, Worker, wait_for

RETRY = [
    {"ErrorEquals": ["Worker.Refused"], "MaxAttempts": 0},
    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3},
]


class Machine:
    """One account with an activity, a queue for callbacks, and state machines over them."""

    def __init__(self, account: Account, trace: Path) -> None:
        self.shop = Shop(account, trace)
        self.trace = trace
        self.states = account.client("stepfunctions")
        self.activity_arn = self.states.create_activity(name="resize")["activityArn"]
        self.environment = {
            **self.shop.environment,
            names.ACTIVITY_ARN: self.activity_arn,
            names.HEARTBEAT_SECONDS: "3",
        }

    # -- executions ----------------------------------------------------------------------------------------------

    def start(self, state: dict[str, Any], document: dict[str, Any]) -> str:
        """Run a state machine of this one task; the execution's ARN."""
        definition = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "End": True, **state}}}
        arn = self.states.create_state_machine(
            name=f"m-{uuid.uuid4().hex[:8]}",
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{self.shop.account.id}:role/states",
        )["stateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=arn, input=json.dumps(document))["executionArn"])

    def activity(self, **fields: Any) -> dict[str, Any]:
        return {
            "Resource": self.activity_arn,
            "TimeoutSeconds": 60,
            "HeartbeatSeconds": 20,
            "Retry": RETRY,
            "Parameters": {
                "step": {"name.$": "$$.State.Name", "execution.$": "$$.Execution.Id"},
                "input.$": "$",
            },
            **fields,
        }

    def callback(self, **fields: Any) -> dict[str, Any]:
        """A task whose token comes over the queue."""
        return {
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "TimeoutSeconds": 60,
            "HeartbeatSeconds": 30,
            "Parameters": {
                "QueueUrl": self.shop.url,
                "MessageBody": {
                    names.TASK_TOKEN + ".$": "$$.Task.Token",
                    names.STEP_NAME + ".$": "$$.State.Name",
                    names.STEP_EXECUTION + ".$": "$$.Execution.Id",
                    names.STEP_INPUT + ".$": "States.JsonToString($)",
                },
            },
            **fields,
        }

    def callback_environment(self) -> dict[str, str]:
        """The variables of the next container."""

        def receive() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.shop.sqs.receive_message(QueueUrl=self.shop.url).get("Messages", [])
            return found

        (message,) = wait_for("the token", receive)
        self.shop.sqs.delete_message(QueueUrl=self.shop.url, ReceiptHandle=message["ReceiptHandle"])
        body: dict[str, str] = json.loads(message["Body"])
        return body

    def wait(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        """The execution, once it has ended."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        return wait_for("the execution's end", ended, seconds) or {}

    def history(self, execution: str) -> list[str]:
        """The types of the events, in order."""
        events = self.states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        return [event["type"] for event in events]

    # -- workers -------------------------------------------------------------------------------------------------

    def work(self, source: str, **variables: str) -> Worker:
        return Worker({**self.environment, **variables}, self.trace, source)

    @contextmanager
    def worker(self, source: str = "activity", **variables: str) -> Iterator[Worker]:
        """A worker that is stopped at the end; idle ones take as long as their poll."""
        process = self.work(source, **variables)
        try:
            yield process
        finally:
            process.kill()
