"""The demo of the pattern `activity-pool`: many objects, worked off in batches by a few tasks."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contracts.manifest import BucketRef, PatternManifest
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "activity-pool"
_OBJECTS = 100
_SECONDS = 90.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this pattern has no demo; None when it has one."""
    if manifest.bucket is None or manifest.state_machine is None or manifest.service is None:
        return "it lacks a bucket, a state machine or a service"
    if not manifest.bucket.prefix:
        return "it goes over a whole bucket, or over a list that somebody must write"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every object is in the result of exactly one batch."""
    assert manifest.bucket
    assert manifest.state_machine
    begun = time.monotonic()
    names = _drop(stage, manifest.bucket)
    problems: list[str] = []
    batches: list[dict[str, Any]] = []
    keys: Counter[str] = Counter()
    try:
        states = stage.aws.client("stepfunctions")
        execution = states.start_execution(stateMachineArn=manifest.state_machine.arn, input="{}")["executionArn"]

        def ended() -> bool:
            stage.show(f"{_done(states, execution)}/{_OBJECTS} objects processed")
            return bool(states.describe_execution(executionArn=execution)["status"] != "RUNNING")

        if not stage.wait(ended, _SECONDS, every=0.5):
            problems.append(f"the map did not end within {_SECONDS:g} s")
            states.stop_execution(executionArn=execution)
        found = states.describe_execution(executionArn=execution)
        if not problems and found["status"] != "SUCCEEDED":
            problems.append(f"the map {found['status'].lower()}: {found.get('error')}")
        batches = [] if problems else _results(stage, found)
        keys = Counter(item["key"] for batch in batches for item in batch["objects"])
        if not problems and keys != Counter(names):
            problems.append(
                f"{len(set(names) - set(keys))} of {_OBJECTS} objects are in no result, {_twice(keys)} in two"
            )
    finally:
        _clear(stage, manifest.bucket, names)
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="bucket → map → activity → tasks",
        sent=_OBJECTS,
        processed=len(keys),
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems) or f"{len(batches)} batches, each object exactly once",
    )


def _drop(stage: Stage, bucket: BucketRef) -> list[str]:
    """Put the objects, and one that is not below the prefix; answers the keys that are."""
    run_id = secrets.token_hex(3)
    names = [f"{bucket.prefix}demo-{run_id}-{number:03}" for number in range(_OBJECTS)]
    stage.show(f"dropping {_OBJECTS} objects into the bucket")
    s3 = stage.aws.client("s3")
    with ThreadPoolExecutor(4) as pool:
        every = [*names, f"elsewhere/demo-{run_id}"]
        list(pool.map(lambda name: s3.put_object(Bucket=bucket.name, Key=name, Body=name.encode()), every))
    return names


def _clear(stage: Stage, bucket: BucketRef, names: list[str]) -> None:
    """The next demo's map goes over its own objects only."""
    entries: Any = [{"Key": name} for name in names]
    stage.aws.client("s3").delete_objects(Bucket=bucket.name, Delete={"Objects": entries, "Quiet": True})


def _done(states: Any, execution: str) -> int:
    runs = states.list_map_runs(executionArn=execution)["mapRuns"]
    return int(states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]["succeeded"]) if runs else 0


def _results(stage: Stage, found: Any) -> list[dict[str, Any]]:
    """What the handler returned for each batch."""
    s3, place = stage.aws.client("s3"), json.loads(found["output"])["ResultWriterDetails"]

    def read(key: str) -> Any:
        return json.loads(s3.get_object(Bucket=place["Bucket"], Key=key)["Body"].read())

    entries = read(place["Key"])["ResultFiles"]["SUCCEEDED"]
    return [json.loads(item["Output"]) for entry in entries for item in read(entry["Key"])]


def _twice(keys: Counter[str]) -> int:
    return sum(count > 1 for count in keys.values())
