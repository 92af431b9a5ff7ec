"""Work 2: what a queue worker costs per message, and how long a message waits for its handler."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from bench.peers import CELERY, OUT, SQS_CONSUMER
from bench.processes import ROOT, CommandError
from bench.results import Direction, Measured, Row, Skipped, compare
from bench.works.scene import Scene, fresh_scene, order, round_robin
from bench.works.size import Size
from contracts import environment as names
from tests.emulator import running_emulator

__all__ = ["WORK", "measure_worker"]

WORK = "worker"
OURS = "worker queue"
_TABLE = "keys"
_CELERY_APP = "bench.contenders.celery_app"
_SECONDS_PER_RUN = 120
_CONTENDERS = ROOT / "bench" / "contenders"
_KINDS = ("", "with idempotency")


@dataclass(frozen=True)
class Contender:
    """A program that consumes a queue.

    Attributes:
        name: unique within its kind.
        version: its title in the report.
        kind: compared with others of the same kind only.
        command: from a scene to the command line.
        extra: environment on top of the scene's.
        own_messages: it cannot read our envelope: this command sends its messages, given their number and pace.
    """

    name: str
    version: str
    kind: str
    command: Callable[[Scene], Sequence[str]]
    extra: Callable[[Scene], Mapping[str, str]] = lambda scene: {}
    own_messages: Callable[[int, float], Sequence[str]] | None = None


@dataclass(frozen=True)
class Figures:
    """Of one run: messages per second of processor time, and (when they were paced) the 99th percentile of latency."""

    per_core: float
    p99_ms: float | None


def contenders(reasons: dict[str, str]) -> Iterator[Contender]:
    """Who takes part. Why others do not is added to `reasons`, by name."""
    loop = [sys.executable, "-m", "bench.contenders.boto3_worker"]
    for kind in _KINDS:
        table = [_TABLE] if kind else []
        yield Contender(OURS, OURS, kind, lambda scene: [sys.executable, "-m", "worker", "queue"], _ours(kind))
        title = f"boto3 {boto3.__version__} loop" + (", a claim and a completion per key" if kind else "")
        yield Contender(
            "boto3-loop",
            title,
            kind,
            lambda scene, table=table: [*loop, scene.queue_url, *table],  # type: ignore[misc]  # a default binds it
        )
    if SQS_CONSUMER.installed:
        yield Contender(
            SQS_CONSUMER.name,
            SQS_CONSUMER.title,
            "",
            lambda scene: ["node", str(_CONTENDERS / "sqs_consumer.js"), scene.queue_url],
            lambda scene: {"SQS_CONSUMER": str(SQS_CONSUMER.folder)},
        )
    else:
        reasons.setdefault(SQS_CONSUMER.name, "not installed")
    if CELERY.installed:
        options = ["--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING"]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        yield Contender(
            CELERY.name,
            f"{CELERY.title} on SQS, pool of 4 threads",
            "",
            lambda scene: [CELERY.program("celery"), "-A", _CELERY_APP, "worker", *options],
            lambda scene: {"QUEUE_URL": scene.queue_url},
            lambda messages, pace: [CELERY.program("python"), "-m", _CELERY_APP, str(messages), str(pace)],
        )
    else:
        reasons.setdefault(CELERY.name, "not installed")


def _ours(kind: str) -> Callable[[Scene], Mapping[str, str]]:
    def extra(scene: Scene) -> dict[str, str]:
        settings = {
            names.HANDLER: "bench.contenders.worker_handler:handle",
            names.PATTERN: "orders",
            names.QUEUE_URL: scene.queue_url,
            names.DEAD_LETTER_QUEUE_URL: scene.dlq_url,
            names.MAX_RECEIVE_COUNT: "5",
            names.RECEIVE_WAIT_SECONDS: "1",
        }
        return settings | ({names.IDEMPOTENCY_TABLE: _TABLE} if kind else {})

    return extra


def measure_worker(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """Ours and the peers', first at full speed, then at a pace. See `bench.works.Measure` for the arguments."""
    taking_part = {f"{one.name} {one.kind}".strip(): one for one in contenders(reasons)}
    failed: dict[str, str] = {}
    rows: list[Row] = []
    for paced in (False, True):
        figures: dict[str, list[Figures]] = {key: [] for key in taking_part}
        with running_emulator(OUT / "worker" / "emulator", module="bench.indexed_emulator") as url:
            for number, key in round_robin(size.runs, list(taking_part)):
                if key in failed:
                    continue
                one = taking_part[key]
                folder = OUT / "worker" / f"{key}-{'paced' if paced else 'full'}-{number}".replace(" ", "-")
                try:
                    with fresh_scene(url, url, folder) as scene:
                        result = _once(size, one, scene, paced=paced)
                except CommandError as error:
                    if one.name == OURS:
                        raise
                    failed[key] = str(error)
                    continue
                figures[key].append(result)
                shown = f"p99 {result.p99_ms:.1f} ms" if result.p99_ms else f"{result.per_core:.0f} messages/s per core"
                say(f"worker, run {number + 1} of {size.runs}: {key} {shown}")
        rows += _rows(size, taking_part, figures, paced=paced)
    absent = {peer.name: reasons[peer.name] for peer in (SQS_CONSUMER, CELERY) if peer.name in reasons}
    return rows, [Skipped(WORK, name, reason) for name, reason in (absent | failed).items()]


def _once(size: Size, one: Contender, scene: Scene, *, paced: bool) -> Figures:
    dynamodb: Any = scene.account.client("dynamodb")
    dynamodb.create_table(
        TableName=_TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    warm_up = size.worker_warm_up
    messages = warm_up + size.latency_messages if paced else size.worker_messages
    file = scene.folder / "measured.json"
    file.unlink(missing_ok=True)
    meter = {"METER_FILE": str(file), "METER_MESSAGES": str(messages), "METER_WARM_UP": str(warm_up)}
    environment = {**scene.environment, **meter, **one.extra(scene)}
    _send(one, scene, environment, range(warm_up if paced else messages), 0)
    with (scene.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            one.command(scene), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        if paced:
            # What arrives while the process starts would measure its start.
            _wait_for(lambda: not scene.depth(scene.queue_url), process, one.name, scene.folder / "log")
            _send(one, scene, environment, range(warm_up, messages), size.latency_per_second)
        _wait_for(file.exists, process, one.name, scene.folder / "log")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return _figures(json.loads(file.read_text()), paced=paced)


def _send(one: Contender, scene: Scene, environment: Mapping[str, str], orders: range, per_second: float) -> None:
    # Each number once in a run: its key is remembered.
    if one.own_messages:
        command = one.own_messages(len(orders), per_second)
        done = subprocess.run(
            command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, timeout=_SECONDS_PER_RUN
        )
        if done.returncode:
            raise CommandError(f"{one.name} cannot send its messages: {done.stderr.strip()[-300:]}")
    elif not per_second:
        scene.fill(scene.queue_url, [order(number) for number in orders])
    else:
        begun = time.monotonic()
        for sent, number in enumerate(orders):
            time.sleep(max(0.0, begun + sent / per_second - time.monotonic()))
            scene.sqs.send_message(QueueUrl=scene.queue_url, MessageBody=order(number, time.time()))


def _wait_for(done: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_PER_RUN
    while not done():
        if process.poll() is not None and not done():
            raise CommandError(f"{name} ended with status {process.returncode}: {log.read_text()[-400:]}")
        if time.monotonic() > deadline:
            raise CommandError(f"{name} did not handle all messages within {_SECONDS_PER_RUN} s")
        time.sleep(0.05)


def _figures(document: Mapping[str, Any], *, paced: bool) -> Figures:
    per_core = document["messages"] / document["cpu_seconds"]
    if not paced:
        return Figures(per_core, None)
    return Figures(per_core, 1000 * statistics.quantiles(document["latencies"], n=100, method="inclusive")[98])


def _rows(
    size: Size, taking_part: Mapping[str, Contender], figures: Mapping[str, Sequence[Figures]], *, paced: bool
) -> list[Row]:
    rows: list[Row] = []
    for mine in (one for one in taking_part.values() if one.name == OURS):
        suffix = f", {mine.kind}" if mine.kind else ""
        ours = _measured(mine, figures[f"{mine.name} {mine.kind}".strip()], paced=paced)
        for key, peer in taking_part.items():
            if peer.kind != mine.kind or peer.name == OURS or not figures[key]:
                continue
            rows.append(
                compare(
                    f"worker latency, 99th percentile{suffix}" if paced else f"worker throughput per core{suffix}",
                    f"{size.latency_messages:,} messages, {size.latency_per_second:g} a second"
                    if paced
                    else f"{size.worker_messages:,} messages",
                    ours,
                    _measured(peer, figures[key], paced=paced),
                    Direction.LESS_IS_BETTER if paced else Direction.MORE_IS_BETTER,
                )
            )
    return rows


def _measured(one: Contender, figures: Sequence[Figures], *, paced: bool) -> Measured:
    if paced:
        return Measured(one.name, one.version, tuple(each.p99_ms or 0.0 for each in figures), "ms")
    return Measured(one.name, one.version, tuple(each.per_core for each in figures), "messages/s of processor time")
