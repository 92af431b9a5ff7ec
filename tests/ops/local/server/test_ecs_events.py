"""ECS Task State Change events."""

from __future__ import annotations

import json
from typing import Any

from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, allow_events, queue, wait_until


def _subscribe(account: Account) -> str:
    events = account.client("events")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}
    rule_arn = events.put_rule(Name="ecs", EventPattern=json.dumps(pattern))["RuleArn"]
    url, arn = queue(account, "events")
    allow_events(account, url, arn, rule_arn)
    events.put_targets(Rule="ecs", Targets=[{"Id": "q", "Arn": arn}])
    return url


def _collect(account: Account, url: str, last_status: str) -> list[dict[str, Any]]:
    """All events up to the first with this status."""
    sqs = account.client("sqs")
    found: list[dict[str, Any]] = []

    def reached() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
        return any(event["detail"]["lastStatus"] == last_status for event in found)

    wait_until(reached, f"the event {last_status}")
    return found


def test_every_transition_is_an_event_with_a_growing_version(fargate: Fargate, account: Account) -> None:
    url = _subscribe(account)
    overrides = {"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "1"}]}]}
    arn = fargate.run(fargate.define("t", ["sleep 0.2; exit 3"]), startedBy="me", group="jobs", overrides=overrides)
    events = _collect(account, url, "STOPPED")
    details = [event["detail"] for event in events]
    assert [detail["version"] for detail in details] == [1, 2, 3, 4, 5, 6]
    assert [(detail["lastStatus"], detail["desiredStatus"]) for detail in details] == [
        ("PROVISIONING", "RUNNING"),
        ("PENDING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("DEPROVISIONING", "STOPPED"),
        ("STOPPED", "STOPPED"),
    ]
    last = details[-1]
    assert (last["stopCode"], last["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (last["startedBy"], last["group"], last["overrides"]) == ("me", "jobs", overrides)
    assert last["containers"][0]["exitCode"] == 3
    assert "stopCode" not in details[2]
    assert "containerInstanceArn" not in last
    assert not [name for name in last if name.startswith("_")]
    assert events[0]["resources"] == [arn]
    assert (events[0]["account"], events[0]["region"]) == (account.id, account.region)


def test_a_task_that_cannot_start_says_why(fargate: Fargate, account: Account) -> None:
    url = _subscribe(account)
    fargate.run(fargate.define("t", ["x"], image="unknown"))
    last = _collect(account, url, "STOPPED")[-1]["detail"]
    assert last["stopCode"] == "TaskFailedToStart"
    assert last["stoppedReason"].startswith("CannotPullContainerError")
    assert "exitCode" not in last["containers"][0]
