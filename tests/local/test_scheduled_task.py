"""A scheduled task from end to end, on the real program: Scheduler → task → effect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.deployed import deployed, eventually

pytestmark = pytest.mark.timeout(120)


def settings(root: Path, at: datetime, **changes: Any) -> dict[str, Any]:
    handler = {
        "function": "tests.local.handlers:bake",
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects")},
        "stop_timeout_seconds": 10,
    }
    return {
        "pattern": "scheduled-task",
        "schedule": {"expression": f"at({at:%Y-%m-%dT%H:%M:%S})"},
        "handler": handler,
        "data": {"name": "margherita"},
        **changes,
    }


def test_the_task_runs_at_its_time_and_once(tmp_path: Path):
    root, at = tmp_path / "checkout", datetime.now(UTC) + timedelta(seconds=5)
    with deployed(root, settings(root, at)) as stack:
        eventually(lambda: stack.effects().total() > 0, 60, stack.effects)
        ((key, count),) = stack.effects().items()
        name, _, planned = key.partition("/")
        assert (name, count) == ("orders", 1)
        assert datetime.fromisoformat(planned) >= at.replace(microsecond=0)


def test_a_run_that_cannot_be_started_is_in_the_dead_letter_queue(tmp_path: Path):
    root = tmp_path / "checkout"
    start = {"maximum_retry_attempts": 0, "maximum_event_age_seconds": 60}
    with deployed(root, settings(root, datetime.now(UTC) + timedelta(hours=1), start=start)) as stack:
        # GIVEN a cluster that is gone
        manifest = stack.manifest
        assert manifest.task is not None
        assert manifest.schedule is not None
        scheduler = stack.client("scheduler")
        stack.client("ecs").delete_cluster(cluster=manifest.task.cluster)
        # WHEN its time has come
        schedule = scheduler.get_schedule(Name=manifest.schedule.name)
        soon = datetime.now(UTC) + timedelta(seconds=1)
        scheduler.update_schedule(
            Name=schedule["Name"],
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
            Target=schedule["Target"],
        )
        # THEN the run is kept
        (queue,) = manifest.dead_letter_queues
        eventually(lambda: stack.depth(queue.url) == 1, 60, lambda: stack.depth(queue.url))
        assert stack.effects().total() == 0
        # AND WHEN the cluster is there again, THEN a replay starts the run, with the time it was planned for
        providers = ["FARGATE", "FARGATE_SPOT"]
        stack.client("ecs").create_cluster(clusterName=manifest.task.cluster, capacityProviders=providers)
        replayed = stack.ops("replay-dlq", "orders", "--yes")
        assert replayed.returncode == 0, replayed.stderr
        eventually(lambda: stack.effects().total() == 1, 60, stack.effects)
        ((key, _),) = stack.effects().items()
        assert datetime.fromisoformat(key.partition("/")[2]) >= soon.replace(microsecond=0)
        assert stack.depth(queue.url) == 0
