"""Run one task for one event and wait for its end, through everything that is not the event's fault.

Throttling, missing capacity, a task that cannot start and a reclaimed Spot task are tried again here. The message stays
with this worker meanwhile, so that none of its receives is used up. A task that this worker's predecessor started for
the same event is adopted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts import environment as env
from contracts import launching
from contracts.events import Event
from contracts.task_events import MAX_OVERRIDES_CHARACTERS, overrides, overrides_size
from worker.errors import NonRetryableError
from worker.exit_codes import ExitCode
from worker.launching.large_events import LargeEvents
from worker.launching.pace import Pace
from worker.launching.settings import LaunchSettings
from worker.launching.watching import Watcher
from worker.logs import Field

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef

__all__ = ["PATIENCE_SECONDS", "Launcher", "TaskFailedError"]

PATIENCE_SECONDS = 900.0
"""How long one event waits for a launch that succeeds, before it is given back to its queue."""
_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.5, 20.0
_NOT_THE_EVENTS_FAULT = frozenset({"TaskFailedToStart", "SpotInterruption", "TerminationNotice"})

logger = logging.getLogger(__name__)


class TaskFailedError(Exception):
    """The task ran and failed, or could not be started for too long; another attempt may help."""


class Launcher:
    """Runs tasks. Thread-safe: as many run at the same time as threads call `run`.

    Args:
        ecs: with retries for throttling.
        settings: what to run, where, how fast.
        large_events: where an event goes that ECS's overrides have no room for; None: it is refused.
        prefix: of ``startedBy``, by which a task is found again; tells two dispatchers of a cluster apart.
        clock, sleep: seconds.
    """

    def __init__(
        self,
        ecs: ECSClient,
        settings: LaunchSettings,
        *,
        prefix: str,
        large_events: LargeEvents | None = None,
        watcher: Watcher | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ecs = ecs
        self._settings = settings
        self._prefix = prefix
        self._large_events = large_events
        self._pace = Pace(settings.launches_per_second)
        self._watcher = watcher or Watcher(ecs, settings.cluster)
        self._clock = clock
        self._sleep = sleep

    def run(self, event: Event) -> str:
        """Run a task with `event` to its end.

        Returns:
            The task's ARN.

        Raises:
            NonRetryableError: the task's handler refused the event for good, or it is too large and has no other place.
            TaskFailedError: it failed.
        """
        variables = self._variables(event)
        started_by = self._started_by(event.idempotency_key)
        give_up_at = self._clock() + PATIENCE_SECONDS
        attempt = 0
        while True:
            problem, arn = self._launch_or_adopt(variables, started_by)
            if arn is not None:
                task = self._watcher.wait(arn)
                problem = _problem_of(task)
                if problem is None:
                    return arn
            if self._clock() >= give_up_at:
                raise TaskFailedError(f"no task could be started for {PATIENCE_SECONDS:g} seconds; last: {problem}")
            attempt += 1
            pause = min(_MAX_PAUSE_SECONDS, _MIN_PAUSE_SECONDS * 2 ** min(attempt, 10)) * random.uniform(0.5, 1)
            logger.warning(
                "the task did not start; trying again",
                extra={Field.REASON: problem, Field.ATTEMPT: attempt, Field.DELAY_SECONDS: round(pause, 1)},
            )
            self._sleep(pause)

    def _variables(self, event: Event) -> Callable[[], Mapping[str, str]]:
        """What makes the variables that hold the event, or its place: called before each launch."""
        text = json.dumps(event.to_envelope(), separators=(",", ":"), ensure_ascii=False)
        variables = {env.EVENT: text}
        size = overrides_size(overrides(self._settings.container, variables))
        if size <= MAX_OVERRIDES_CHARACTERS:
            return lambda: variables
        if (large_events := self._large_events) is not None:
            # Written anew for each launch, so that no expiry can come between.
            return lambda: {env.EVENT_REFERENCE: large_events.put(text)}
        raise NonRetryableError(
            f"the event makes {size:,} characters of overrides; ECS allows {MAX_OVERRIDES_CHARACTERS:,}: set "
            f"{launching.LARGE_EVENTS}, or put the data into S3 and only its place into the event"
        )

    def _started_by(self, key: str) -> str:
        return f"{self._prefix[:64]}/{hashlib.sha256(key.encode()).hexdigest()[:40]}"

    def _launch_or_adopt(
        self, variables: Callable[[], Mapping[str, str]], started_by: str
    ) -> tuple[str | None, str | None]:
        """(None, ARN), or why there is none."""
        try:
            found = self._ecs.list_tasks(cluster=self._settings.cluster, startedBy=started_by)["taskArns"]
            if found:
                return None, found[0]
            document = overrides(self._settings.container, variables())
            self._pace.wait()
            return self._launch(document, started_by)
        except (ClientError, BotoCoreError) as error:
            return str(error), None

    def _launch(self, document: dict[str, Any], started_by: str) -> tuple[str | None, str | None]:
        settings = self._settings
        answer = self._ecs.run_task(
            cluster=settings.cluster,
            taskDefinition=settings.task_definition,
            capacityProviderStrategy=[{"capacityProvider": settings.capacity_provider, "weight": 1}],
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(settings.subnets),
                    "securityGroups": list(settings.security_groups),
                    "assignPublicIp": "ENABLED" if settings.public_ip else "DISABLED",
                }
            },
            overrides=document,  # type: ignore[arg-type]  # built in contracts, which has no boto3 types
            startedBy=started_by,
            enableECSManagedTags=True,
            propagateTags="TASK_DEFINITION",
        )
        # RunTask answers 200 also when it has started nothing.
        if answer["tasks"]:
            return None, answer["tasks"][0]["taskArn"]
        failures = answer.get("failures", [])
        return "; ".join(failure.get("reason", "?") for failure in failures) or "RunTask started no task", None


def _problem_of(task: TaskTypeDef | None) -> str | None:
    """None when the event is processed; a text when the task has to be run again."""
    if task is None:
        return "ECS no longer knows the task"
    if task.get("stopCode") in _NOT_THE_EVENTS_FAULT:
        return f"{task.get('stopCode')}: {task.get('stoppedReason')}"
    codes = [container.get("exitCode") for container in task.get("containers", [])]
    if codes and all(code == ExitCode.OK for code in codes):
        return None
    reason = f"task {task['taskArn']} stopped with exit code {codes[0] if codes else None}: {task.get('stoppedReason')}"
    if ExitCode.REFUSED in codes:
        raise NonRetryableError(f"{reason} (its handler, or the event, says that no retry can help)")
    raise TaskFailedError(reason)
