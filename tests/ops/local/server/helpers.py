"""What the tests of the embedded AWS share: waiting, images, tasks, queues."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.emulator import Account

T = TypeVar("T")


WAIT_SECONDS = 60.0
"""Nothing takes so long; other tests may keep the cores busy for a good part of it."""


def wait_until(check: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
    """The first true result of `check`; fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; last seen: {result!r}")
        time.sleep(0.05)


def write_images(home: Path) -> None:
    """The image table of the tests: ``python`` runs ``python -c <command>``, ``shell`` runs ``sh -c <command>``."""
    images = {
        "python": {"entry_point": [sys.executable, "-u", "-c"]},
        "shell": {"entry_point": ["/bin/sh", "-c"], "environment": {"FROM_IMAGE": "yes"}},
        "missing": {"command": ["/nonexistent/program"]},
    }
    (home / "images.json").write_text(json.dumps(images))


@dataclass
class Fargate:
    """ECS of one account, with short ways to run tasks and services."""

    account: Account
    home: Path
    cluster: str = "c"
    ecs: Any = field(init=False)

    def __post_init__(self) -> None:
        self.ecs = self.account.client("ecs")
        self.ecs.create_cluster(
            clusterName=self.cluster,
            capacityProviders=["FARGATE", "FARGATE_SPOT"],
        )

    def define(self, family: str, command: list[str], image: str = "shell", **container: Any) -> str:
        """Register a task definition with one container; returns its ARN."""
        keys = ("taskRoleArn", "executionRoleArn")
        task_level = {key: container.pop(key) for key in keys if key in container}
        answer = self.ecs.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "main", "image": image, "command": command, "essential": True, **container},
            ],
            **task_level,
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, **request: Any) -> str:
        """Run one task; returns its ARN."""
        request.setdefault("launchType", "FARGATE")
        answer = self.ecs.run_task(cluster=self.cluster, taskDefinition=definition, **request)
        assert not answer["failures"]
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        """DescribeTasks of one task."""
        found: dict[str, Any] = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0]
        return found

    def wait_for(self, arn: str, status: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The task once it has this last status."""

        def reached() -> dict[str, Any] | None:
            task = self.task(arn)
            return task if task["lastStatus"] == status else None

        return wait_until(reached, f"task in status {status}", seconds)

    def create_service(self, name: str, definition: str, count: int, **request: Any) -> None:
        """Create a service on Fargate."""
        if "capacityProviderStrategy" not in request:
            request["launchType"] = "FARGATE"
        self.ecs.create_service(
            cluster=self.cluster, serviceName=name, taskDefinition=definition, desiredCount=count, **request
        )

    def service(self, name: str) -> dict[str, Any]:
        """DescribeServices of one service."""
        found: dict[str, Any] = self.ecs.describe_services(cluster=self.cluster, services=[name])["services"][0]
        return found

    def tasks_of(self, name: str) -> list[dict[str, Any]]:
        """The service's tasks that run or are to run."""
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=name, desiredStatus="RUNNING")["taskArns"]
        return list(self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]) if arns else []

    def wait_for_running(self, name: str, count: int, seconds: float = WAIT_SECONDS) -> list[dict[str, Any]]:
        """The service's tasks once exactly `count` of them run."""

        def reached() -> list[dict[str, Any]] | None:
            tasks = [task for task in self.tasks_of(name) if task["lastStatus"] == "RUNNING"]
            return tasks if len(tasks) == count and self.service(name)["runningCount"] == count else None

        if count == 0:
            wait_until(lambda: self.service(name)["runningCount"] == 0, "no task runs", seconds)
            return []
        return wait_until(reached, f"{count} running tasks", seconds)

    def log(self, arn: str) -> str:
        """What the task has written."""
        (file,) = self.home.glob(f"logs/*-{arn.rsplit('/', 1)[-1]}.log")
        return file.read_text()


def queue(account: Account, name: str, attributes: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Create a queue; returns its URL and ARN."""
    sqs = account.client("sqs")
    url = str(sqs.create_queue(QueueName=name, Attributes=dict(attributes or {}))["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, str(arn)


def allow_events(account: Account, url: str, queue_arn: str, rule_arn: str) -> None:
    """The queue policy that lets one rule send."""
    allow_service(account, url, queue_arn, "events.amazonaws.com", rule_arn)


def allow_service(account: Account, url: str, queue_arn: str, service: str, source_arn: str) -> None:
    """The queue policy that lets a service send on behalf of one rule, topic or bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def receive(account: Account, url: str) -> dict[str, Any]:
    """One message with all its attributes; fails when there is none."""
    sqs = account.client("sqs")

    def messages() -> list[dict[str, Any]]:
        answer = sqs.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=5,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    return wait_until(messages, f"a message in {url}")[0]


def depth(account: Account, url: str) -> int:
    """Visible messages."""
    attributes = account.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])
