"""The demo of the pattern `object-processing`: a burst of objects, a task for each."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from contracts.manifest import BucketRef, PatternManifest
from ops.local.demo.effects import completed_keys, logged_outcomes
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "object-processing"
_OBJECTS = 8
_SECONDS = 90.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this pattern has no demo; None when it has one."""
    if manifest.bucket is None or manifest.task is None or manifest.idempotency_table is None:
        return "it lacks a bucket, a task or an idempotency table"
    if manifest.queue is None:
        return "its tasks are started directly, so a burst may lose some to the dead-letter queue"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every object is processed once, by a task of its own; one that the rule does not match, by none."""
    assert manifest.bucket
    assert manifest.idempotency_table
    table = manifest.idempotency_table
    begun = time.monotonic()
    names = _drop(stage, manifest.bucket)
    problems = []

    def done() -> bool:
        found = _handled(stage, manifest, names)
        stage.show(f"{len(found)}/{_OBJECTS} objects processed")
        return len(found) == _OBJECTS and completed_keys(stage.aws, table, manifest.name, found) == set(found)

    if not stage.wait(done, _SECONDS, every=0.5):
        problems.append(f"not all objects were processed within {_SECONDS:g} s")
    counted = _handled(stage, manifest, names)
    if twice := [key for key, outcome in counted.items() if outcome["handled"] > 1]:
        problems.append(f"{len(twice)} objects were processed more than once, e.g. {twice[0]}")
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="bucket → bus → rule → queue → dispatcher → a task each",
        sent=_OBJECTS + 1,
        processed=sum(outcome["handled"] for outcome in counted.values()),
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems) or f"{_OBJECTS} tasks, each object exactly once; 1 not for this rule",
    )


def _drop(stage: Stage, bucket: BucketRef) -> set[str]:
    """Put the objects all at once, and one beside the prefix; answers the keys that are to be processed."""
    run = secrets.token_hex(3)
    names = [f"{bucket.prefix}demo-{run}-{number}{bucket.suffix}" for number in range(_OBJECTS)]
    stage.show(f"dropping {_OBJECTS} objects into the bucket")
    s3 = stage.aws.client("s3")
    with ThreadPoolExecutor(4) as pool:
        every = [*names, f"elsewhere/demo-{run}"]
        list(pool.map(lambda name: s3.put_object(Bucket=bucket.name, Key=name, Body=name.encode()), every))
    return set(names)


def _handled(stage: Stage, manifest: PatternManifest, names: set[str]) -> dict[str, Counter[str]]:
    """Idempotency key → outcomes of the tasks that had one of these objects (the dispatcher logs its own outcome)."""
    assert manifest.task
    logged = logged_outcomes(stage.home, manifest.name, f"{manifest.task.family}-")
    return {key: outcome for key, outcome in logged.items() if outcome["handled"] and _object_of(key) in names}


def _object_of(idempotency_key: str) -> str:
    """The object's key: the second part of the idempotency key of an S3 event."""
    parts: list[str] = json.loads(idempotency_key)
    return parts[1]
