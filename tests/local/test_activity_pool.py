"""An activity pool from end to end, on the real program: S3 → distributed map → activity → workers → effect."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts import metrics
from ops.local.server.task_records import read_records
from tests.local.deployed import Deployed, deployed, eventually

pytestmark = pytest.mark.timeout(300)


def settings(root: Path, *, work: dict[str, Any], **changes: Any) -> dict[str, Any]:
    handler = {
        "function": "tests.local.pool_handlers:process",
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects"), "PROCESSING_SECONDS": "0"},
        "concurrency": 4,
        "stop_timeout_seconds": 10,
        **changes.pop("handler", {}),
    }
    times = {"timeout_seconds": 60, "heartbeat_seconds": 6, "retry": {"interval_seconds": 1, "max_delay_seconds": 2}}
    return {"pattern": "activity-pool", "handler": handler, "map": {**times, **work}, **changes}


class Pool:
    def __init__(self, stack: Deployed) -> None:
        self.stack = stack
        self.manifest = stack.manifest
        self.states = stack.client("stepfunctions")
        self.s3 = stack.client("s3")
        assert self.manifest.bucket
        self.bucket = self.manifest.bucket.name

    def put(self, keys: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x"), keys))

    def start(self, **data: Any) -> str:
        assert self.manifest.state_machine
        arn = self.manifest.state_machine.arn
        return str(self.states.start_execution(stateMachineArn=arn, input=json.dumps(data))["executionArn"])

    def status(self, execution: str) -> str:
        return str(self.states.describe_execution(executionArn=execution)["status"])

    def wait(self, execution: str, seconds: float) -> dict[str, Any]:
        eventually(lambda: self.status(execution) != "RUNNING", seconds, lambda: self.counts(execution))
        found: dict[str, Any] = self.states.describe_execution(executionArn=execution)
        return found

    def counts(self, execution: str) -> dict[str, int]:
        runs = self.states.list_map_runs(executionArn=execution)["mapRuns"]
        return dict(self.states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]) if runs else {}

    def results(self, ended: dict[str, Any], status: str) -> list[dict[str, Any]]:
        place = json.loads(ended["output"])["ResultWriterDetails"]
        manifest = json.loads(self.s3.get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read())
        found: list[dict[str, Any]] = []
        for entry in manifest["ResultFiles"][status]:
            found += json.loads(self.s3.get_object(Bucket=place["Bucket"], Key=entry["Key"])["Body"].read())
        return found

    def attempts(self) -> Counter[str]:
        return Counter((self.stack.root / "effects.attempts").read_text().split())


def test_a_pool_works_off_what_the_prefix_names_and_failures_are_written_down(tmp_path: Path):
    root = tmp_path / "checkout"
    work = {"batch_size": 3, "max_concurrency": 20, "tolerated_failure_percentage": 10, "heartbeat_seconds": 20}
    scaling = {"min": 1, "max": 2, "processing_seconds": 1, "acceptable_latency_seconds": 60}
    with deployed(root, settings(root, work=work, items={"prefix": "in/"}, scaling=scaling)) as stack:
        pool = Pool(stack)
        keys = [f"in/{number:03}" for number in range(40)]
        pool.put([*keys, "in/zz-poison", "elsewhere/1"])
        execution = pool.start()
        ended = pool.wait(execution, 60)
        # THEN the batch with the object that nobody can read is written down, and everything else is done once
        assert ended["status"] == "SUCCEEDED", ended
        (failed,) = pool.results(ended, "FAILED")
        assert (failed["Error"], "zz-poison" in failed["Cause"]) == ("Worker.Refused", True)
        lost = [item["key"] for item in json.loads(failed["Input"])["Items"]]
        assert stack.effects() == Counter(key for key in keys if key not in lost)
        assert sum(json.loads(item["Output"])["processed"] for item in pool.results(ended, "SUCCEEDED")) == 39
        # AND the function has told how many were left
        response = stack.client("lambda").invoke(FunctionName=_counter(stack), Payload=b"{}")
        assert json.loads(response["Payload"].read()) == {"items_left": 0}
        assert _published(stack)


def test_a_list_is_read_and_a_failure_that_is_not_tolerated_ends_the_map(tmp_path: Path):
    root = tmp_path / "checkout"
    work = {"batch_size": 1, "max_concurrency": 20, "heartbeat_seconds": 20}
    chosen = settings(root, work=work, items={"list": "json"}, scaling={"min": 1, "max": 1})
    with deployed(root, chosen) as stack:
        pool = Pool(stack)
        pool.s3.put_object(Bucket=pool.bucket, Key="lists/1.json", Body=json.dumps([{"key": "a"}, {"key": "b"}]))
        assert pool.wait(pool.start(key="lists/1.json"), 60)["status"] == "SUCCEEDED"
        assert stack.effects() == Counter(["a", "b"])
        pool.s3.put_object(Bucket=pool.bucket, Key="lists/2.json", Body=json.dumps([{"key": "poison"}]))
        ended = pool.wait(pool.start(key="lists/2.json"), 60)
        assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
        ended = pool.wait(pool.start(key="lists/none.json"), 60)
        assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")


@pytest.mark.soak
def test_three_of_four_spot_workers_are_reclaimed_and_every_object_is_processed_once(tmp_path: Path):
    root = tmp_path / "checkout"
    chosen = settings(
        root,
        work={
            "batch_size": 1,
            "max_concurrency": 64,
            "retry": {"attempts": 10, "interval_seconds": 1, "max_delay_seconds": 2},
        },
        items={"prefix": "in/"},
        handler={"environment": {"EFFECTS": str(root / "effects"), "PROCESSING_SECONDS": "0.05"}},
        scaling={"min": 4, "max": 4},
        capacity={"spot": True, "on_demand_base": 1},
    )
    with deployed(root, chosen) as stack:
        pool = Pool(stack)
        hold = root / "effects.hold"
        keys = [f"in/{number:05}" for number in range(2_000)]
        pool.put(keys)
        eventually(lambda: stack.counts() == (4, 4), 60, stack.counts)
        execution = pool.start()
        for done in (200, 700, 1_200):
            eventually(lambda done=done: stack.effects().total() >= done, 120, lambda: pool.counts(execution))  # type: ignore[misc]
            if done == 200:  # whichever worker it is, it is in the middle of its work
                hold.touch()
                eventually(lambda: pool.attempts().total() - stack.effects().total() > 3 * 4, 30, pool.attempts)
            _reclaim(root)
            hold.unlink(missing_ok=True)
        ended = pool.wait(execution, 180)
        assert ended["status"] == "SUCCEEDED", ended
        effects = stack.effects()
        assert len(set(keys) - set(effects)) == 0  # lost
        assert {key: count for key, count in effects.items() if count != 1} == {}  # processed twice
        assert len(pool.results(ended, "SUCCEEDED")) == 2_000
        repeated = sum(pool.attempts().values()) - 2_000
        assert repeated >= 1, "no worker was killed in the middle of its work"


@pytest.mark.soak
def test_a_sleeping_pool_is_woken_by_items_and_goes_to_sleep_again(tmp_path: Path):
    root = tmp_path / "checkout"
    chosen = settings(
        root,
        work={"batch_size": 1, "max_concurrency": 20},
        handler={"environment": {"EFFECTS": str(root / "effects"), "PROCESSING_SECONDS": "0.5"}, "concurrency": 1},
        scaling={"min": 0, "max": 3, "acceptable_latency_seconds": 20, "processing_seconds": 1},
    )
    with deployed(root, chosen) as stack, _ticking(stack):
        pool = Pool(stack)
        pool.put([f"{number:03}" for number in range(60)])
        hold = root / "effects.hold"
        hold.touch()
        assert stack.counts() == (0, 0)
        seen = {0}
        execution = pool.start()

        def ended() -> bool:
            seen.add(stack.counts()[1])
            if max(seen) > 1:  # more than the one that was woken
                hold.unlink(missing_ok=True)
            return pool.status(execution) != "RUNNING"

        eventually(ended, 120, lambda: (seen, pool.counts(execution)))
        assert pool.status(execution) == "SUCCEEDED"
        assert len(stack.effects()) == 60
        assert max(seen) > 1
        eventually(lambda: stack.counts()[1] == 0, 60, stack.counts)


def _reclaim(root: Path) -> None:
    """As Spot takes a task back: SIGTERM, and soon afterwards SIGKILL."""
    running = [item.pid for record in read_records(root / ".local" / "tasks") for item in record.containers]
    pid = next(pid for pid in running if psutil.pid_exists(pid))
    os.killpg(pid, signal.SIGTERM)
    time.sleep(0.03)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _counter(stack: Deployed) -> str:
    (name,) = [item["FunctionName"] for item in stack.client("lambda").list_functions()["Functions"]]
    return str(name)


def _published(stack: Deployed) -> bool:
    found = stack.client("cloudwatch").list_metrics(Namespace=metrics.NAMESPACE, MetricName=metrics.ITEMS_LEFT)
    dimensions = [{item["Name"]: item["Value"] for item in metric["Dimensions"]} for metric in found["Metrics"]]
    return {metrics.STACK: "local", metrics.PATTERN: "orders"} in dimensions


class _ticking:
    """Calls the function in each emulated minute: the embedded EventBridge keeps real time."""

    def __init__(self, stack: Deployed) -> None:
        self._client, self._name = stack.client("lambda"), _counter(stack)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._client.invoke(FunctionName=self._name, Payload=b"{}")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
