"""The real program in an environment of its own: a checkout made of links, `ops local up` in it, settings of the test."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import yaml

from contracts.manifest import PatternManifest
from ops.local.home import Home, State
from ops.local.server.task_records import read_records
from tests.emulator import ROOT, free_port

__all__ = ["Deployed", "deployed", "orders_settings"]

_LINKS = (
    "__main__.py",
    "Pulumi.yaml",
    "aws_transport",
    "components",
    "contracts",
    "dags",
    "event_schemas",
    "functions",
    "tests",
    "worker",
)
_EVENT_NUMBERS = itertools.count()


def orders_settings(root: Path, **changes: Mapping[str, Any]) -> dict[str, Any]:
    """A queue worker named `orders` whose handler is `tests.local.handlers:bake` and whose effects are in `root`."""
    settings: dict[str, Any] = {
        "pattern": "queue-worker",
        "events": {"source": ["pizza.service.com"], "detail": {"data": {"region": ["AU", "NZ"]}}},
        "handler": {
            "function": "tests.local.handlers:bake",
            "image": "eda-worker:local",
            "environment": {"EFFECTS": str(root / "effects"), "BAKING_SECONDS": "0"},
            "stop_timeout_seconds": 10,
        },
        "queue": {"max_receive_count": 3},
        "scaling": {"acceptable_latency_seconds": 60, "processing_seconds": 2, "min": 1, "max": 2},
    }
    for name, change in changes.items():
        settings[name] = {**settings.get(name, {}), **change}
    return settings


@dataclass
class Deployed:
    """A running local environment with one pattern, `orders`."""

    root: Path
    state: State

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.state.endpoint_url,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.state.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "EDA_STACK": "local",
            "EDA_STATE_DIR": str(self.root / "journals"),
            "PYTHONPATH": str(ROOT),
        }

    def client(self, service: str) -> Any:
        environment = self.environment
        return boto3.session.Session().client(  # type: ignore[call-overload]
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def ops_command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ops", *arguments]

    def ops(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`ops <arguments>` as a user runs it; the test looks at exit code and output."""
        return subprocess.run(
            self.ops_command(*arguments),
            cwd=self.root,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def manifest(self) -> PatternManifest:
        return self.manifest_of("orders")

    def manifest_of(self, name: str) -> PatternManifest:
        """Of any pattern that runs beside `orders`."""
        return PatternManifest.from_json(json.dumps(self.state.outputs["patterns"][name]))

    def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        result = self.ops("send", "-", "--pattern", "orders", stdin=json.dumps(list(events)))
        assert result.returncode == 0, result.stderr

    def effects(self) -> Counter[str]:
        """How often each order was baked, by idempotency key."""
        try:
            text = (self.root / "effects").read_text()
        except FileNotFoundError:
            return Counter()
        return Counter(text[: text.rfind("\n") + 1].split())

    def depth(self, url: str) -> int:
        """Messages in a queue: visible, in flight and delayed."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names.append("ApproximateNumberOfMessagesDelayed")
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    @property
    def queue_url(self) -> str:
        queue = self.manifest.queue
        assert queue is not None
        return queue.url

    @property
    def dead_letter_urls(self) -> tuple[str, str]:
        """The queue's own, and that of events that the rule could not deliver."""
        messages, undelivered = self.manifest.dead_letter_queues
        return messages.url, undelivered.url

    def tasks(self) -> list[dict[str, Any]]:
        service = self.manifest.service
        assert service is not None
        ecs = self.client("ecs")
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=service.cluster, desiredStatus=status)["taskArns"]
        ]
        found: list[dict[str, Any]] = ecs.describe_tasks(cluster=service.cluster, tasks=arns)["tasks"] if arns else []
        return found

    def counts(self) -> tuple[int, int]:
        """(running, desired) tasks of the service."""
        service = self.manifest.service
        assert service is not None
        (found,) = self.client("ecs").describe_services(cluster=service.cluster, services=[service.name])["services"]
        return found["runningCount"], found["desiredCount"]

    def kill_a_task(self, choose: Callable[[list[psutil.Process]], psutil.Process]) -> bool:
        """SIGKILL the process group of one running task; False when none runs."""
        alive = []
        for record in read_records(self.root / ".local" / "tasks"):
            for process in record.containers:
                try:
                    alive.append(psutil.Process(process.pid))
                except psutil.NoSuchProcess:
                    continue
        if not alive:
            return False
        try:
            os.killpg(choose(alive).pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def eventually(condition: Callable[[], bool], seconds: float, what: Callable[[], object]) -> None:
    """Poll until `condition` holds; fail with `what` was seen last."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def order(key: str | None = None, *, name: str = "margherita", region: str = "AU") -> dict[str, Any]:
    """An OrderCreated event as a producer sends it."""
    key = key or f"order-{next(_EVENT_NUMBERS)}"
    return {
        "source": "pizza.service.com",
        "detail-type": "OrderCreated",
        "detail": {
            "metadata": {"idempotency-key": key},
            "data": {
                "channel-id": "channel",
                "created-at": "2026-11-20T10:00:00Z",
                "name": name,
                "OrderType": ["Pickup"],
                "city": "Melbourne",
                "region": region,
            },
        },
    }


@contextmanager
def deployed(
    root: Path,
    settings: Mapping[str, Any],
    *arguments: str,
    beside: Mapping[str, Mapping[str, Any]] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> Iterator[Deployed]:
    """`ops local up` in a checkout of its own; `ops local down` at the end, and a check that nothing is left.

    `settings` are those of `orders`; `beside` has more patterns by name; `shared` is what stands beside the
    patterns, e.g. ``{"eda:kafka": …}``.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in _LINKS:
        (root / name).symlink_to(ROOT / name)
    patterns = {"orders": dict(settings), **(beside or {})}
    config = {
        "aws:region": "ap-southeast-2",
        "eda:bus": {"schema_registry": False},  # the embedded AWS has none
        "eda:patterns": patterns,
        **(shared or {}),
    }
    (root / "Pulumi.local.yaml").write_text(yaml.safe_dump({"config": config}))
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ops", "local"]
    try:
        up = subprocess.run(
            [*command, "up", "--port", str(port), *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert up.returncode == 0, up.stderr
        state = Home(root).read()
        assert state is not None
        yield Deployed(root, state)
    finally:
        down = subprocess.run(
            [*command, "down"], cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert down.returncode == 0, down.stderr

    def left() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _runs_in(process, root)]

    eventually(lambda: left() == [], 10, left)  # what was killed a moment ago may still be on its way out


def _runs_in(process: psutil.Process, root: Path) -> bool:
    try:
        return process.cwd() == str(root) or process.environ().get("EFFECTS", "").startswith(str(root))
    except (psutil.Error, OSError):
        return False
