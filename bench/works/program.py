"""Work 3: how long the program takes to be run for N queue workers, and how much memory."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench.isolation import home_free_environment
from bench.peers import CDK, OUT
from bench.processes import ROOT, CommandError, Ran, run
from bench.results import Direction, Measured, Row, Skipped, compare
from bench.works.scene import round_robin
from bench.works.size import Size

__all__ = ["WORK", "measure_program"]

WORK = "program"
OURS = "this program under mocks"


def _ours(workers: int, folder: Path) -> Ran:
    environment = {**home_free_environment(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench.contenders.queue_workers", str(workers)]
    return run(command, folder / "stdout", environment=environment)


def _cdk(workers: int, folder: Path) -> Ran:
    out = folder / "cdk.out"
    shutil.rmtree(out, ignore_errors=True)
    environment = {**home_free_environment(folder), "CDK_LIB": os.fspath(CDK.folder), "CDK_OUT": os.fspath(out)}
    node = shutil.which("node") or "node"
    command = [node, str(ROOT / "bench" / "contenders" / "cdk_app.js"), str(workers)]
    return run(command, folder / "stdout", environment=environment)


def measure_program(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """Ours and CDK's, for each number of workers. See `bench.works.Measure` for the arguments."""
    contenders: dict[str, Callable[[int, Path], Ran]] = {OURS: _ours}
    if CDK.installed:
        contenders[CDK.name] = _cdk
    else:
        reasons.setdefault(CDK.name, "not installed")
    ran: dict[tuple[str, int], list[Ran]] = {}
    failed: dict[str, str] = {}
    for workers in size.workers:
        for number, name in round_robin(size.runs, list(contenders)):
            folder = OUT / "program" / f"{name}-{workers}-{number}".replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            try:
                one = contenders[name](workers, folder)
            except CommandError as error:
                if name == OURS:
                    raise
                failed[name] = str(error)
                continue
            ran.setdefault((name, workers), []).append(one)
            say(f"program with {workers} workers, run {number + 1} of {size.runs}: {name} {one.seconds:.2f} s")
    rows = _rows(size, ran)
    missing = {CDK.name: reasons[CDK.name]} if CDK.name in reasons else {}
    return rows, [Skipped(WORK, name, reason) for name, reason in (missing | failed).items()]


def _rows(size: Size, ran: dict[tuple[str, int], list[Ran]]) -> list[Row]:
    rows: list[Row] = []
    pairs = [(workers, workers) for workers in size.workers]
    if 20 in size.workers and 100 in size.workers:
        pairs.append((100, 20))
    figures: list[tuple[str, str, Callable[[Ran], float]]] = [
        ("time", "s", lambda one: one.seconds),
        ("peak memory", "MiB", lambda one: one.peak_mib),
    ]
    for what, unit, value in figures:
        for mine, theirs in pairs if what == "time" else pairs[: len(size.workers)]:
            if (CDK.name, theirs) not in ran:
                continue
            ours, peer = ran[OURS, mine], ran[CDK.name, theirs]
            counts = f"{ours[0].stdout.strip()} resources, theirs {peer[0].stdout.strip()}"
            rows.append(
                compare(
                    f"program {what}, whole process",
                    f"{mine} queue workers" + ("" if mine == theirs else f" against {theirs}"),
                    Measured(OURS, OURS, tuple(value(one) for one in ours), unit),
                    Measured(CDK.name, f"{CDK.title} app.synth()", tuple(value(one) for one in peer), unit, counts),
                    Direction.LESS_IS_BETTER,
                )
            )
    return rows
