"""Create a job: check the request, record the job, run its task, answer with its id.

Called through its function URL (IAM), by `ops jobs run` and other programs (Invoke), and each minute by a rule.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contracts import job_functions
from contracts.job_table import Job, new_item
from contracts.jobs import JobState
from functions import metrics
from functions.launching import Launch, Launcher
from functions.requests import JobRequest, RefusedError, job_id_of, parse
from functions.settings import JobSettings, LaunchSettings
from functions.store import JobStore
from functions.tending import tend

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient

__all__ = ["Creator", "handle"]

_LAUNCH_RESERVE_MILLISECONDS = 30_000
"""What a call leaves of its time before it tries RunTask again: three requests that are not answered."""
_RESERVE_MILLISECONDS = 8_000
"""What a tick leaves of its time: the longest call of ECS, and the end."""

logging.getLogger().setLevel(logging.INFO)


@dataclass(frozen=True)
class Creator:
    """Everything that a call needs."""

    ecs: ECSClient
    store: JobStore
    launcher: Launcher
    jobs: JobSettings
    how: LaunchSettings

    def create(self, request: JobRequest, in_time: Callable[[], bool] = lambda: True) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer.

        Args:
            request: checked.
            in_time: whether there is time for another attempt to launch.

        Raises:
            RefusedError: 409: the token belongs to another request.
        """
        job_id = job_id_of(self.jobs.pattern, request.token)
        item = new_item(
            job_id,
            self.jobs.pattern,
            request.recorded(),
            requested_by=request.requested_by,
            now=datetime.now(UTC),
        )
        # Before the launch: of a RunTask that fails there is no event.
        new = self.store.record(item)
        job = self._read(job_id)
        if job.request != request.recorded():
            raise RefusedError(
                409,
                f"the token {request.token!r} belongs to job {job_id}, which asked for something else; use a new one",
            )
        if job.state is not JobState.SUBMITTED:
            return 200, _answer(job)
        launch = self.launcher.launch(job, in_time=in_time)
        if launch is Launch.FAILED:
            metrics.put(self.jobs.stack, self.jobs.pattern, {job_functions.UNLAUNCHABLE: 1})
        status = {Launch.LAUNCHED: 201 if new else 200, Launch.WAITING: 202, Launch.FAILED: 502}[launch]
        return status, _answer(self._read(job_id))

    def tick(self, context: Any) -> dict[str, Any]:
        """Launch what waits, look at what runs, say how old the oldest are."""
        tended = tend(
            self.ecs,
            self.store,
            self.launcher,
            self.jobs,
            patience_seconds=self.how.patience_seconds,
            in_time=lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS,
        )
        values: dict[str, float] = {
            job_functions.OLDEST_UNLAUNCHED: tended.oldest_unlaunched,
            job_functions.OLDEST_UNFINISHED: tended.oldest_unfinished,
        }
        if tended.given_up:
            values[job_functions.UNLAUNCHABLE] = tended.given_up
        metrics.put(self.jobs.stack, self.jobs.pattern, values)
        return {"launched": tended.launched, "given_up": tended.given_up, "advanced": tended.advanced}

    def _read(self, job_id: str) -> Job:
        job = self.store.get(job_id)
        if job is None:
            raise RuntimeError(f"job {job_id} has vanished from the table; was its item deleted?")
        return job


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. A request by HTTP is answered as HTTP; an invocation with ``{"status": 201, …}``."""
    creator = _creator()
    if event.get("detail-type") == job_functions.TICK:
        return creator.tick(context)
    by_http = "http" in (event.get("requestContext") or {})
    try:
        document, caller, token = _http(event) if by_http else (event, None, context.aws_request_id)
        request = parse(document, token=token, pattern=creator.jobs.pattern, container=creator.jobs.container)
        if caller:
            # Who signed the request is known; who else it says it is for is not.
            request = JobRequest(
                environment=request.environment, data=request.data, token=request.token, requested_by=caller
            )
        status, answer = creator.create(
            request, lambda: context.get_remaining_time_in_millis() > _LAUNCH_RESERVE_MILLISECONDS
        )
    except RefusedError as refusal:
        status, answer = refusal.status, {"error": str(refusal)}
    if not by_http:
        return {"status": status, **answer}
    headers = {"content-type": "application/json"} | ({"retry-after": "60"} if status == 202 else {})
    return {"statusCode": status, "headers": headers, "body": json.dumps(answer)}


def _http(event: Mapping[str, Any]) -> tuple[object, str | None, str]:
    """The document, the caller's ARN, a token for a caller that names none."""
    context = event["requestContext"]
    method = context["http"]["method"]
    if method != "POST":
        raise RefusedError(405, f"{method} is not supported; allowed is POST")
    body = event.get("body") or ""
    try:
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
        document = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise RefusedError(400, f"the body is no JSON: {error}") from error
    caller = ((context.get("authorizer") or {}).get("iam") or {}).get("userArn")
    return document, caller, str(context["requestId"])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _answer(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "state": job.state.value,
        "task_arn": job.task_arn,
        "created_at": job.created_at,
        "reason": job.reason,
        "launch_error": job.launch_error,
    }


@functools.cache
def _creator() -> Creator:
    config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=3, read_timeout=6)
    ecs: ECSClient = boto3.client("ecs", config=config)
    dynamodb: DynamoDBClient = boto3.client("dynamodb", config=config)
    jobs, how = JobSettings.read(os.environ), LaunchSettings.read(os.environ)
    store = JobStore(dynamodb, jobs.table, jobs.retention_days)
    return Creator(ecs, store, Launcher(ecs, store, jobs, how), jobs, how)
