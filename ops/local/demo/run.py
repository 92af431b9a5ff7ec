"""Runs the demo of each pattern, one module per kind of pattern."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contracts.manifest import PatternManifest
from ops.errors import OpsError
from ops.local.demo import (
    activity_pool,
    api,
    api_push,
    fan_out,
    job,
    kafka_worker,
    object_processing,
    queue_worker,
    scheduled_task,
    stream_worker,
    workflow,
)
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage
from ops.local.errors import LocalError
from ops.manifest import read_patterns

__all__ = ["run_demos"]


_AT_ONCE = 4
"""Demos. Each starts tasks, a second of processor time each: with all of them at once, the first would wait longest."""


@dataclass(frozen=True)
class _Demo:
    """`why_not` says why a pattern must be left out (None: it need not); `run` sends events through it."""

    why_not: Callable[[Stage, PatternManifest], str | None]
    run: Callable[[Stage, PatternManifest], Row]


_DEMOS = {
    queue_worker.PATTERN: _Demo(
        queue_worker.why_not, lambda stage, manifest: queue_worker.QueueWorkerDemo(stage, manifest).run()
    ),
    fan_out.PATTERN: _Demo(fan_out.why_not, fan_out.run),
    activity_pool.PATTERN: _Demo(activity_pool.why_not, activity_pool.run),
    job.PATTERN: _Demo(job.why_not, job.run),
    stream_worker.PATTERN: _Demo(stream_worker.why_not, stream_worker.run),
    api.PATTERN: _Demo(api.why_not, api.run),
    api_push.PATTERN: _Demo(api_push.why_not, api_push.run),
    kafka_worker.PATTERN: _Demo(kafka_worker.why_not, kafka_worker.run),
    object_processing.PATTERN: _Demo(object_processing.why_not, object_processing.run),
    scheduled_task.PATTERN: _Demo(scheduled_task.why_not, scheduled_task.run),
    workflow.PATTERN: _Demo(workflow.why_not, workflow.run),
}


_NOT_HERE = {
    "broker-worker": "no Amazon MQ runs here; its workers are tested against RabbitMQ and ActiveMQ themselves",
    "airflow": "no Amazon MWAA runs here; make test-airflow runs its DAG on Airflow itself",
}
"""Patterns that the embedded AWS cannot carry: pattern → why."""


def run_demos(stage: Stage, say: Callable[[str], None]) -> list[Row]:
    """One row per pattern of the stack that has a demo; the others are named, with the reason, through `say`.

    A few demos run at the same time: each mostly waits, as its events do on AWS. The queue workers, which take
    longest, begin.

    Raises:
        LocalError: no pattern has one.
    """
    chosen: list[tuple[_Demo, PatternManifest]] = []
    for name, manifest in read_patterns(stage.aws.ssm(), stage.state.stack).items():
        if manifest.pattern == queue_worker.PATTERN and not manifest.rules:
            continue  # one of the workers of a fan-out, which shows them all
        demo = _DEMOS.get(manifest.pattern)
        reason = demo.why_not(stage, manifest) if demo else f"there is no demo of {manifest.pattern}"
        if demo is None or reason is not None:
            say(f"{name}: left out: {reason}")
        else:
            chosen.append((demo, manifest))
    for pattern, reason in _NOT_HERE.items():
        say(f"{pattern}: left out: {reason}")
    if not chosen:
        raise LocalError("no pattern of the local stack has a demo; Pulumi.local.yaml of the project has one: orders")
    chosen.sort(key=lambda one: one[1].pattern != queue_worker.PATTERN)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        rows = list(pool.map(lambda one: _run(one[0], stage.of(one[1].name), one[1]), chosen))
    return sorted(rows, key=lambda row: row.name)


def _run(demo: _Demo, stage: Stage, manifest: PatternManifest) -> Row:
    """The demo's row; what stops one demo does not stop the others."""
    begun = time.monotonic()
    try:
        return demo.run(stage, manifest)
    except OpsError as error:
        return Row.failed(manifest, seconds=time.monotonic() - begun, note=error.message)
