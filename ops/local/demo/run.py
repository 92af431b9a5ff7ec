"""Runs the demo of each pattern, one module per kind of pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.manifest import PatternManifest
from ops.local.demo import queue_worker
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage
from ops.local.errors import LocalError
from ops.manifest import read_patterns

__all__ = ["run_demos"]


@dataclass(frozen=True)
class _Demo:
    """`why_not` says why a pattern must be left out (None: it need not); `run` sends events through it."""

    why_not: Callable[[Stage, PatternManifest], str | None]
    run: Callable[[Stage, PatternManifest], Row]


_DEMOS = {
    queue_worker.PATTERN: _Demo(
        queue_worker.why_not, lambda stage, manifest: queue_worker.QueueWorkerDemo(stage, manifest).run()
    ),
}


def run_demos(stage: Stage, say: Callable[[str], None]) -> list[Row]:
    """One row per pattern of the stack that has a demo; the others are named, with the reason, through `say`.

    Raises:
        LocalError: no pattern has one.
    """
    rows: list[Row] = []
    for name, manifest in read_patterns(stage.aws.ssm(), stage.state.stack).items():
        demo = _DEMOS.get(manifest.pattern)
        reason = demo.why_not(stage, manifest) if demo else f"there is no demo of {manifest.pattern}"
        if demo is None or reason is not None:
            say(f"{name}: left out: {reason}")
            continue
        rows.append(demo.run(stage, manifest))
    if not rows:
        raise LocalError("no pattern of the local stack has a demo; Pulumi.local.yaml of the project has one: orders")
    return rows
