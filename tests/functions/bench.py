"""What the tests of the functions work on: a table, a cluster, a task definition, and the functions' own parts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from contracts.job_table import Job
from functions.create_job import Creator
from functions.launching import Launcher
from functions.requests import JobRequest
from functions.settings import JobSettings, LaunchSettings
from functions.store import JobStore
from tests.emulator import Account

_SESSION = boto3.session.Session()
"""One for all tests: a session reads the model of each service anew."""

TABLE, CLUSTER, PATTERN, FAMILY = "jobs", "cluster", "reports", "reports-task"


def create_table(dynamodb: Any, name: str = TABLE) -> None:
    """As the program makes it."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("job_id", "state", "created_at")
        ],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-state",
                "KeySchema": [
                    {"AttributeName": "state", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@dataclass
class Bench:
    account: Account
    ecs: Any = field(init=False)
    dynamodb: Any = field(init=False)
    store: JobStore = field(init=False)
    jobs: JobSettings = field(init=False)

    def __post_init__(self) -> None:
        self.ecs, self.dynamodb = self._client("ecs"), self._client("dynamodb")
        create_table(self.dynamodb)
        self.ecs.create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"])
        self.define("pass")
        self.store = JobStore(self.dynamodb, TABLE, 7)
        self.jobs = JobSettings(
            stack="test", pattern=PATTERN, table=TABLE, retention_days=7, cluster=CLUSTER, container="worker"
        )

    def _client(self, service: str) -> Any:
        return _SESSION.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.account.endpoint_url,
            region_name=self.account.region,
            aws_access_key_id=self.account.id,
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard"}, max_pool_connections=60),
        )

    def define(self, program: str) -> None:
        """Register another revision of the task, which runs this Python."""
        self.ecs.register_task_definition(
            family=FAMILY,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "worker", "image": "python", "command": [program], "essential": True}],
        )

    def how(self, patience_seconds: int = 3600) -> LaunchSettings:
        return LaunchSettings(
            task_definition=FAMILY,
            subnets=("subnet-1",),
            security_groups=("sg-1",),
            public_ip=True,
            capacity_provider="FARGATE",
            patience_seconds=patience_seconds,
        )

    def launcher(self, ecs: Any = None) -> Launcher:
        return Launcher(ecs or self.ecs, self.store, self.jobs, self.how(), sleep=lambda seconds: None)

    def creator(self, ecs: Any = None) -> Creator:
        return Creator(ecs or self.ecs, self.store, self.launcher(ecs), self.jobs, self.how())

    def create(self, token: str, **changes: Any) -> tuple[int, dict[str, Any]]:
        return self.creator().create(request(token, **changes))

    def job(self, job_id: str) -> Job:
        found = self.store.get(job_id)
        assert found is not None
        return found

    def tasks(self) -> list[str]:
        """All tasks, ended ones too."""
        return sorted(
            {  # one that ends between the two calls is in both
                arn
                for status in ("RUNNING", "STOPPED")
                for arn in self.ecs.list_tasks(cluster=CLUSTER, desiredStatus=status)["taskArns"]
            }
        )

    def wait_for_end(self, task_arn: str, seconds: float = 30) -> dict[str, Any]:
        """The description of a task that has stopped."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.ecs.describe_tasks(cluster=CLUSTER, tasks=[task_arn])["tasks"][0]
            if found["lastStatus"] == "STOPPED":
                return found
            assert time.monotonic() < deadline, found["lastStatus"]
            time.sleep(0.05)


def request(token: str, **changes: Any) -> JobRequest:
    values: dict[str, Any] = {"environment": {"MONTH": "11"}, "data": {"kind": "monthly"}, "requested_by": "arn:me"}
    return JobRequest(token=token, **{**values, **changes})
