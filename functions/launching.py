"""Run the task of a recorded job: at most one, whoever asks and however often.

RunTask gets the job's id as its client token, so a second call answers with the first one's task. What is passing
(throttling, capacity, a permission that IAM does not know yet) is tried again here for some seconds, and at each tick
for as long as the patience lasts.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from contracts.job_table import Job
from contracts.jobs import JobState, Progress, never_launched, progress_of_task, started_by
from functions.requests import task_overrides
from functions.settings import JobSettings, LaunchSettings
from functions.store import JobStore

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

__all__ = ["Launch", "Launcher"]

_PAUSE_SECONDS = 0.4
_ATTEMPTS = 4
_OF_THE_JOB = frozenset(
    {
        "InvalidParameterException",
        "PlatformTaskDefinitionIncompatibilityException",
        "PlatformUnknownException",
        "UnsupportedFeatureException",
    }
)
"""RunTask's errors that no repetition cures (ECS API reference, RunTask, "Errors")."""
_PASSING_TEXTS = ("throttl", "rate exceeded", "too many", "capacity")
"""… unless the text says so: ECS reports the throttling of what it calls itself as InvalidParameterException."""

logger = logging.getLogger(__name__)


class Launch(StrEnum):
    """How an attempt ended."""

    LAUNCHED = "launched"
    """There is a task."""
    WAITING = "waiting"
    """None was started, and it will be tried again."""
    FAILED = "failed"
    """None was started, and none will be."""


class Launcher:
    """Launches jobs.

    Args:
        ecs: with retries for throttling.
        store: of the jobs.
        jobs, how: what to run, and how.
        sleep: seconds.
    """

    def __init__(
        self,
        ecs: ECSClient,
        store: JobStore,
        jobs: JobSettings,
        how: LaunchSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ecs = ecs
        self._store = store
        self._jobs = jobs
        self._how = how
        self._sleep = sleep

    def launch(self, job: Job, *, attempts: int = _ATTEMPTS, in_time: Callable[[], bool] = lambda: True) -> Launch:
        """Run the task of a job that has none, and record what came of it.

        Args:
            attempts: at most so many calls of RunTask.
            in_time: whether there is time for another one.
        """
        for attempt in range(attempts):
            if attempt:
                if not in_time():
                    break
                self._sleep(_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1))
            found = self._run(job)
            if isinstance(found, Progress):
                self._launched(job, found)
                return Launch.LAUNCHED
            problem, passing = found
            logger.warning("job %s: no task was started: %s", job.job_id, problem)
            self._store.note_launch_failure(job.job_id, problem)
            if not passing:
                self.give_up(job, problem)
                return Launch.FAILED
        return Launch.WAITING

    def give_up(self, job: Job, problem: str) -> None:
        """Record that the job ends without a task."""
        self._store.advance(job.job_id, never_launched(JobState.FAILED, problem, datetime.now(UTC)))

    def find(self, job: Job) -> bool:
        """Look for a running task that was started for the job although no answer of RunTask says so.

        ListTasks takes no other filter beside ``startedBy``. One that has stopped is found by the client token.
        """
        owner = started_by(self._jobs.pattern, job.job_id)
        arns = self._ecs.list_tasks(cluster=self._jobs.cluster, startedBy=owner)["taskArns"]
        if arns and (progress := self._describe(arns[0])):
            self._launched(job, progress)
            return True
        return False

    def _run(self, job: Job) -> Progress | tuple[str, bool]:
        """The new task; or why there is none, and whether that may pass."""
        try:
            answer = self._ecs.run_task(**self._request(job))
        except ClientError as error:
            code, text = error.response["Error"]["Code"], str(error)
            arns = cast("list[str]", error.response.get("resourceIds") or [])
            if code == "ConflictException" and arns:
                # The same token, another revision of the task definition meanwhile: the task is there.
                progress = self._describe(arns[0])
                return progress or (f"the task {arns[0]} of an earlier launch is gone", False)
            return text, code not in _OF_THE_JOB or any(part in text.lower() for part in _PASSING_TEXTS)
        except BotoCoreError as error:
            return str(error), True
        if answer["tasks"]:
            return progress_of_task(answer["tasks"][0], self._jobs.container)
        # RunTask answers 200 also when it has started nothing.
        failures = answer.get("failures") or []
        reasons = [" ".join(filter(None, (item.get("reason"), item.get("detail")))) for item in failures]
        return "RunTask: " + ("; ".join(reasons) or "no task and no reason"), True

    def _request(self, job: Job) -> dict[str, Any]:
        how = self._how
        return {
            "cluster": self._jobs.cluster,
            "taskDefinition": how.task_definition,
            "count": 1,
            "clientToken": job.job_id,
            "startedBy": started_by(self._jobs.pattern, job.job_id),
            "capacityProviderStrategy": [{"capacityProvider": how.capacity_provider, "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": list(how.subnets),
                    "securityGroups": list(how.security_groups),
                    "assignPublicIp": "ENABLED" if how.public_ip else "DISABLED",
                }
            },
            "overrides": task_overrides(
                job.request, self._jobs.pattern, job.job_id, job.created_at, self._jobs.container
            ),
            "enableECSManagedTags": True,
            "propagateTags": "TASK_DEFINITION",
        }

    def _describe(self, task_arn: str) -> Progress | None:
        tasks = self._ecs.describe_tasks(cluster=self._jobs.cluster, tasks=[task_arn])["tasks"]
        return progress_of_task(tasks[0], self._jobs.container) if tasks else None

    def _launched(self, job: Job, progress: Progress) -> None:
        if self._store.advance(job.job_id, progress):
            return
        now = self._store.get(job.job_id)
        if now is not None and now.state.final and now.task_arn is None and not progress.state.final:
            # Somebody stopped the job between its record and this launch.
            self._ecs.stop_task(
                cluster=self._jobs.cluster,
                task=str(progress.task_arn),
                reason=f"job {job.job_id} was {now.state.lower()} before its task started",
            )
