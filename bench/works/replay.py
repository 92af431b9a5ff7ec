"""Work 1: how fast a dead-letter queue is emptied, whole process, with and without a network's round trip.

Measured on two servers: see `bench.indexed_emulator`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3

from bench.isolation import only_loopback
from bench.latency_proxy import Route, latency_proxy
from bench.peers import LUMIGO, OUT, SQS_MOVER
from bench.processes import ROOT, CommandError, run
from bench.results import Direction, Measured, Row, Skipped, compare
from bench.works.scene import Scene, fresh_scene, order, round_robin
from bench.works.size import Size
from tests.emulator import REGION, running_emulator

__all__ = ["WORK", "Contender", "contenders", "measure_once", "measure_replay"]

WORK = "replay"
OURS = "ops replay-dlq"
CEILING = "boto3's ceiling"
_CONTENDERS = ROOT / "bench" / "contenders"
_UNIT = "messages/s"


@dataclass(frozen=True)
class Server:
    """What the contenders talk to.

    Attributes:
        title: in the report.
        module: the Python module that serves.
    """

    title: str
    module: str


_INDEXED = Server("indexed queues", "bench.indexed_emulator")
_SCANNING = Server("embedded AWS as it is", "ops.local.server")


@dataclass(frozen=True)
class Contender:
    """A program that empties a dead-letter queue.

    Attributes:
        name: unique.
        version: its title in the report.
        command: from a scene to the command line.
        extra: environment on top of the scene's.
        one_at_a_time: it has one request in flight, and gets fewer messages.
        indexed_only: it does not take part where the server is the limit.
        ceiling: it is a candidate for the most that boto3 gets out of the emulator.
    """

    name: str
    version: str
    command: Callable[[Scene], Sequence[str]]
    extra: tuple[tuple[str, str], ...] = ()
    one_at_a_time: bool = False
    indexed_only: bool = False
    ceiling: bool = False


def _ours(scene: Scene) -> list[str]:
    queues = ["--dlq-url", scene.dlq_url, "--to", scene.queue_url]
    return [sys.executable, "-m", "ops", "replay-dlq", *queues, "--yes", "--engine", "client", "--output", "json"]


def _loop(threads: int, processes: int) -> Contender:
    title = f"boto3 {boto3.__version__} loop, {threads} threads × {processes} processes"

    def command(scene: Scene) -> list[str]:
        program = str(_CONTENDERS / "boto3_replay.py")
        return [sys.executable, program, scene.dlq_url, scene.queue_url, str(threads), str(processes)]

    return Contender(f"loop-{threads}x{processes}", title, command, ceiling=True, indexed_only=processes > 1)


def _plain_loop() -> Contender:
    def command(scene: Scene) -> list[str]:
        return [sys.executable, str(_CONTENDERS / "boto3_replay.py"), scene.dlq_url, scene.queue_url, "1", "1"]

    return Contender(
        "boto3-loop", f"boto3 {boto3.__version__} loop, 1 thread", command, one_at_a_time=True, indexed_only=True
    )


def _lumigo(pollers: int) -> Contender:
    def command(scene: Scene) -> list[str]:
        queues = ["-d", "orders-dlq", "-n", "orders", "-r", REGION, "-c", str(pollers)]
        return [LUMIGO.program("lumigo-cli"), "replay-sqs-dlq", *queues]

    extra = (
        ("SKIP_VERSION_CHECK", "1"),
        ("NODE_OPTIONS", f"--require {_CONTENDERS / 'lumigo_endpoint.js'}"),
        ("LUMIGO_CLI", str(LUMIGO.folder / "node_modules" / "lumigo-cli")),
    )
    return Contender(
        f"lumigo-{pollers}", f"{LUMIGO.title}, {pollers} pollers", command, extra, indexed_only=pollers > 10
    )


def _sqs_mover() -> Contender:
    def command(scene: Scene) -> list[str]:
        return [SQS_MOVER.program("sqsmover"), "-s", "orders-dlq", "-d", "orders"]

    return Contender("sqs-mover", SQS_MOVER.title, command, one_at_a_time=True, indexed_only=True)


def contenders(reasons: dict[str, str]) -> Iterator[Contender]:
    """Who takes part. Why others do not is added to `reasons`, by name."""
    yield Contender(OURS, OURS, _ours)
    yield _plain_loop()
    yield from (_loop(32, 1), _loop(16, 2))
    if not SQS_MOVER.installed:
        reasons.setdefault(SQS_MOVER.name, "not installed")
    else:
        yield _sqs_mover()
    if not LUMIGO.installed:
        reasons.setdefault(LUMIGO.name, "not installed")
    elif not only_loopback():
        reasons[LUMIGO.name] = "it phones home, and this machine cannot make a network namespace to keep it from that"
    else:
        yield from (_lumigo(10), _lumigo(32))


def measure_replay(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """All contenders at all round trips.

    Args:
        size: how much.
        reasons: peer → why it is not installed.
        say: takes a line for whoever waits.
    """
    rows: list[Row] = []
    taking_part = list(contenders(reasons))
    failed: dict[str, str] = {}
    scenery = [(_INDEXED, milliseconds, taking_part) for milliseconds in size.round_trips_ms]
    few = [one for one in taking_part if not one.indexed_only]
    scenery += [(_SCANNING, milliseconds, few) for milliseconds in size.scanning_round_trips_ms]
    for server, round_trip_ms, those in scenery:
        values = _at(size, server, round_trip_ms, those, failed, say)
        rows += _rows(size, server, round_trip_ms, those, values)
    skipped = [Skipped(WORK, name, reason) for name, reason in (reasons | failed).items()]
    return rows, skipped


def _at(
    size: Size,
    server: Server,
    round_trip_ms: float,
    taking_part: Sequence[Contender],
    failed: dict[str, str],
    say: Callable[[str], None],
) -> dict[str, list[float]]:
    by_name = {one.name: one for one in taking_part}
    values: dict[str, list[float]] = {name: [] for name in by_name}
    folder = OUT / "replay"
    with (
        running_emulator(folder / "emulator", module=server.module) as url,
        latency_proxy(url, round_trip_ms) as route,
    ):
        for number, name in round_robin(size.runs, list(by_name)):
            if name in failed:
                continue
            one = by_name[name]
            try:
                rate = measure_once(size, round_trip_ms, one, url, route, folder / f"{name}-{number}".replace(" ", "-"))
            except CommandError as error:
                if name == OURS:
                    raise
                failed[name] = str(error)
                continue
            values[name].append(rate)
            progress = f"{server.title}, {round_trip_ms:g} ms, run {number + 1} of {size.runs}"
            say(f"replay, {progress}: {name} {rate:.0f} {_UNIT}")
    return values


def _messages(size: Size, round_trip_ms: float, one: Contender) -> int:
    if not one.one_at_a_time:
        return size.replay_messages
    return size.replay_slow_messages if round_trip_ms else size.replay_single_messages


def measure_once(size: Size, round_trip_ms: float, one: Contender, url: str, route: Route, folder: Path) -> float:
    """Messages per second of one run, the start of the process included.

    Raises:
        CommandError: it failed, lost or doubled messages, or did not use the route it was given.
    """
    messages = _messages(size, round_trip_ms, one)
    with fresh_scene(url, route.url, folder) as scene:
        bodies = [order(number) for number in range(messages)]
        scene.fill(scene.dlq_url, bodies)
        forwarded_before = route.forwarded_bytes()
        ran = run(one.command(scene), folder / "stdout", environment={**scene.environment, **dict(one.extra)})
        arrived = scene.depth(scene.queue_url)
        if arrived != messages:
            raise CommandError(f"{one.name} moved {arrived} of {messages} messages")
        # Every body comes and goes once.
        if route.delayed and route.forwarded_bytes() - forwarded_before < 2 * sum(map(len, bodies)):
            raise CommandError(f"{one.name} went around the proxy: its figure would lack the round trip")
    return messages / ran.seconds


def _rows(
    size: Size, server: Server, round_trip_ms: float, taking_part: Sequence[Contender], values: dict[str, list[float]]
) -> list[Row]:
    measured: dict[str, Measured] = {}
    for one in taking_part:
        if values[one.name]:
            fewer = _messages(size, round_trip_ms, one)
            note = "" if fewer == size.replay_messages else f"with {fewer:,} messages, because it is slow"
            measured[one.name] = Measured(one.name, one.version, tuple(values[one.name]), _UNIT, note)
    ours = measured[OURS]
    peers = [measured[one.name] for one in taking_part if one.name in measured and one.name != OURS and not one.ceiling]
    loops = [measured[one.name] for one in taking_part if one.name in measured and one.ceiling]
    if loops:
        best = max(loops, key=lambda loop: loop.median)
        which = f"the best of {len(loops)} boto3 loops" if len(loops) > 1 else "a boto3 loop"
        title = f"{CEILING}: {which} ({best.version})"
        peers.append(Measured(CEILING, title, best.values, _UNIT))
    work = f"replay, {server.title}, {round_trip_ms:g} ms round trip"
    return [compare(work, f"{size.replay_messages:,} messages", ours, peer, Direction.MORE_IS_BETTER) for peer in peers]
