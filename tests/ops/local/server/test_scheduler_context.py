"""What a schedule hands its target."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.local.server.scheduler_context import with_context
from tests.emulator import Account
from tests.ops.local.server.helpers import queue, receive, wait_until


def test_every_attribute_is_filled_in_and_the_schedule_itself_stays_as_it_is() -> None:
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    target = {"Arn": "a", "Input": " ".join(f"<aws.scheduler.{name}>" for name in names)}
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert with_context(target, "arn:schedule", at, "id")["Input"] == "arn:schedule 2026-11-20T08:00:00Z id 1"
    assert target["Input"].startswith("<aws.scheduler.schedule-arn>")


def test_a_schedule_that_is_changed_to_a_time_fires_at_it(account: Account) -> None:
    # GIVEN a schedule that is far away, and has been looked at
    scheduler, sqs = account.client("scheduler"), account.client("sqs")
    url = sqs.create_queue(QueueName="runs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rest: dict[str, Any] = {
        "Name": "nightly",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn, "RoleArn": f"arn:aws:iam::{account.id}:role/scheduler", "Input": "{}"},
    }
    scheduler.create_schedule(ScheduleExpression="cron(0 3 1 1 ? 2099)", **rest)
    time.sleep(2.5)  # two looks

    def depth() -> int:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def at_rest_with(runs: int) -> Callable[[], bool]:
        return lambda: depth() == runs

    for runs in (1, 2):
        # WHEN its next run is brought forward, again and again
        soon = datetime.now(UTC) + timedelta(seconds=1)
        scheduler.update_schedule(ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})", **rest)
        # THEN it takes place
        wait_until(at_rest_with(runs), f"run {runs}")
    # AND a change that leaves the time alone, or puts a rate, is no reason to run
    scheduler.update_schedule(ScheduleExpression="rate(1 hour)", **rest)
    scheduler.update_schedule(ScheduleExpression="rate(1 hour)", Description="the same", **rest)
    time.sleep(2.5)
    assert depth() == 2


def test_a_run_that_cannot_be_started_is_dead_lettered_as_scheduler_does(account: Account) -> None:
    url, arn = queue(account, "dlq")
    at = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    missing = arn.replace(":dlq", ":none")
    schedule = account.client("scheduler").create_schedule(
        Name="report",
        ScheduleExpression=f"at({at})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": missing,
            "RoleArn": f"arn:aws:iam::{account.id}:role/r",
            "Input": '{"at": "<aws.scheduler.scheduled-time>", "run": "<aws.scheduler.execution-id>"}',
            "DeadLetterConfig": {"Arn": arn},
        },
    )["ScheduleArn"]

    message = receive(account, url)

    values = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (values["SCHEDULE_ARN"], values["TARGET_ARN"], values["ERROR_CODE"]) == (schedule, missing, "NO_RESOURCE")
    assert json.loads(message["Body"]) == {"at": values["SCHEDULED_TIME"], "run": values["EXECUTION_ID"]}
    assert values["SCHEDULED_TIME"].startswith(at[:16])
    assert "RULE_ARN" not in values
