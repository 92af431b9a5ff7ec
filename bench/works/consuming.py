"""What the consumers of streams have in common: who takes part, one run of one of them, and the rows."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.processes import ROOT, CommandError
from bench.results import Direction, Measured, Row, compare
from bench.works.scene import round_robin
from bench.works.size import Size
from tests.emulator import Account

__all__ = ["KINDS", "TABLE", "Contender", "Place", "create_table", "measure"]

KINDS = ("", "with idempotency")
"""Contenders are compared with those of the same kind only: with a table every key is claimed and completed."""
TABLE = "keys"

_SECONDS_PER_RUN = 180


class Place(Protocol):
    """A stream of its own for one run."""

    folder: Path
    environment: Mapping[str, str]

    def put(self, first: int, last: int, per_second: float) -> None:
        """Records `first` to `last - 1`, as fast as possible if `per_second` is 0."""


@dataclass(frozen=True)
class Contender:
    """A program that consumes a stream.

    Attributes:
        name: unique within its kind.
        version: its title in the report.
        kind: one of `KINDS`.
        command: from a place to the command line.
        extra: environment on top of the place's.
    """

    name: str
    version: str
    kind: str
    command: Callable[[Any], Sequence[str]]
    extra: Callable[[Any], Mapping[str, str]] = lambda place: {}

    @property
    def key(self) -> str:
        return f"{self.name} {self.kind}".strip()


@dataclass(frozen=True)
class _Figures:
    per_core: float
    p99_ms: float | None


def create_table(account: Account, name: str, key: str) -> None:
    """An empty DynamoDB table with a text as its key."""
    account.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def measure(
    work: str,
    ours: str,
    taking_part: Sequence[Contender],
    place: Callable[[Path], AbstractContextManager[Place]],
    size: Size,
    out: Path,
    say: Callable[[str], None],
) -> list[Row]:
    """Every contender in turn, first at full speed, then at a pace.

    Args:
        work: its name.
        ours: name of our contender.
        taking_part: ours and the peers.
        place: makes a place that writes into a folder.
        size: how much.
        out: folder of the runs.
        say: takes a line for whoever waits.
    """
    by_key = {one.key: one for one in taking_part}
    rows: list[Row] = []
    for paced in (False, True):
        figures: dict[str, list[_Figures]] = {key: [] for key in by_key}
        for number, key in round_robin(size.runs, list(by_key)):
            folder = out / f"{key}-{'paced' if paced else 'full'}-{number}".replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            with place(folder) as there:
                result = _once(size, by_key[key], there, paced=paced)
            figures[key].append(result)
            shown = f"p99 {result.p99_ms:.1f} ms" if result.p99_ms else f"{result.per_core:.0f} records/s per core"
            say(f"{work}, run {number + 1} of {size.runs}: {key} {shown}")
        rows += _rows(work, ours, size, by_key, figures, paced=paced)
    return rows


def _records(size: Size, kind: str) -> int:
    return size.stream_keyed_records if kind else size.stream_records


def _once(size: Size, one: Contender, place: Place, *, paced: bool) -> _Figures:
    warm_up = size.worker_warm_up
    records = warm_up + size.latency_messages if paced else _records(size, one.kind)
    file = place.folder / "measured.json"
    for old in (file, file.with_suffix(".warm")):
        old.unlink(missing_ok=True)
    meter = {"METER_FILE": str(file), "METER_MESSAGES": str(records), "METER_WARM_UP": str(warm_up)}
    place.put(0, warm_up if paced else records, 0)
    with (place.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            one.command(place),
            cwd=ROOT,
            env={**place.environment, **meter, **one.extra(place)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        if paced:
            # What arrives while the process starts would measure its start.
            _wait_for(file.with_suffix(".warm").exists, process, one.name, place.folder / "log")
            place.put(warm_up, records, size.latency_per_second)
        _wait_for(file.exists, process, one.name, place.folder / "log")
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    document = json.loads(file.read_text())
    per_core = document["messages"] / document["cpu_seconds"]
    if not paced:
        return _Figures(per_core, None)
    return _Figures(per_core, 1000 * statistics.quantiles(document["latencies"], n=100, method="inclusive")[98])


def _wait_for(done: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_PER_RUN
    while not done():
        if process.poll() is not None and not done():
            raise CommandError(f"{name} ended with status {process.returncode}: {log.read_text()[-400:]}")
        if time.monotonic() > deadline:
            raise CommandError(f"{name} did not handle all records within {_SECONDS_PER_RUN} s")
        time.sleep(0.05)


def _rows(
    work: str,
    ours: str,
    size: Size,
    by_key: Mapping[str, Contender],
    figures: Mapping[str, Sequence[_Figures]],
    *,
    paced: bool,
) -> list[Row]:
    rows: list[Row] = []
    for mine in (one for one in by_key.values() if one.name == ours):
        suffix = f", {mine.kind}" if mine.kind else ""
        for peer in (one for one in by_key.values() if one.kind == mine.kind and one.name != ours):
            rows.append(
                compare(
                    f"{work} latency, 99th percentile{suffix}" if paced else f"{work} throughput per core{suffix}",
                    f"{size.latency_messages:,} records, {size.latency_per_second:g} a second"
                    if paced
                    else f"{_records(size, mine.kind):,} records",
                    _measured(mine, figures[mine.key], paced=paced),
                    _measured(peer, figures[peer.key], paced=paced),
                    Direction.LESS_IS_BETTER if paced else Direction.MORE_IS_BETTER,
                )
            )
    return rows


def _measured(one: Contender, figures: Sequence[_Figures], *, paced: bool) -> Measured:
    if paced:
        return Measured(one.name, one.version, tuple(each.p99_ms or 0.0 for each in figures), "ms")
    return Measured(one.name, one.version, tuple(each.per_core for each in figures), "records/s of processor time")
