"""Work 3: how long the program takes to be run for N queue workers, and how much memory."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
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
PULUMI = "pulumi alone"
CDK_PATTERN = "cdk's pattern"
"""CDK's one construct for a queue worker: half of the resources, without rule, table and manifest, with two alarms."""
CDK_SAME = "cdk, same resources"


def _ours(workers: int, folder: Path) -> Ran:
    return _python("bench.contenders.queue_workers", [str(workers)], folder)


def _pulumi_alone(workers: int, folder: Path) -> Ran:
    # Written by a run of its own: a measured one is timed until its process has ended, and writing would be in it.
    file = OUT / "program" / f"resources-{workers}.json"
    if not file.exists():
        _python("bench.contenders.queue_workers", [str(workers), str(file)], folder)
    return _python("bench.contenders.plain_pulumi", [str(file)], folder)


def _python(module: str, arguments: Sequence[str], folder: Path) -> Ran:
    environment = {**home_free_environment(folder), "PYTHONPATH": str(ROOT)}
    return run([sys.executable, "-m", module, *arguments], folder / "stdout", environment=environment)


def _cdk(program: str, workers: int, folder: Path) -> Ran:
    out = folder / "cdk.out"
    shutil.rmtree(out, ignore_errors=True)
    environment = {**home_free_environment(folder), "CDK_LIB": os.fspath(CDK.folder), "CDK_OUT": os.fspath(out)}
    node = shutil.which("node") or "node"
    command = [node, str(ROOT / "bench" / "contenders" / program), str(workers)]
    return run(command, folder / "stdout", environment=environment)


def measure_program(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """Ours, Pulumi's SDK alone and CDK, for each number of workers. See `bench.works.Measure` for the arguments."""
    contenders: dict[str, Callable[[int, Path], Ran]] = {OURS: _ours, PULUMI: _pulumi_alone}
    for file in (OUT / "program").glob("resources-*.json"):
        file.unlink()  # the program may have changed
    if CDK.installed:
        contenders[CDK_PATTERN] = partial(_cdk, "cdk_pattern.js")
        contenders[CDK_SAME] = partial(_cdk, "cdk_same_resources.js")
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
    versions = {
        PULUMI: f"pulumi {importlib.metadata.version('pulumi')}, the same AWS resources without a component",
        CDK_PATTERN: f"{CDK.title} app.synth(), QueueProcessingFargateService",
        CDK_SAME: f"{CDK.title} app.synth(), the same AWS resources",
    }
    alike = [(workers, workers) for workers in size.workers]
    more = [(100, 20)] if {20, 100} <= set(size.workers) else []
    compared: list[tuple[str, str, Callable[[Ran], float], str, list[tuple[int, int]]]] = [
        ("time", "s", lambda one: one.seconds, CDK_PATTERN, alike + more),
        ("time", "s", lambda one: one.seconds, CDK_SAME, alike + more),
        ("time", "s", lambda one: one.seconds, PULUMI, alike),
        ("peak memory", "MiB", lambda one: one.peak_mib, CDK_PATTERN, alike),
        ("peak memory", "MiB", lambda one: one.peak_mib, CDK_SAME, alike),
    ]
    rows: list[Row] = []
    for what, unit, value, name, pairs in compared:
        for mine, theirs in pairs:
            if (name, theirs) not in ran:
                continue
            ours, peer = ran[OURS, mine], ran[name, theirs]
            counts = f"{ours[0].stdout.strip()} resources, theirs {peer[0].stdout.strip()}"
            rows.append(
                compare(
                    f"program {what}, whole process",
                    f"{mine} queue workers" + ("" if mine == theirs else f" against {theirs}"),
                    Measured(OURS, OURS, tuple(value(one) for one in ours), unit),
                    Measured(name, versions[name], tuple(value(one) for one in peer), unit, counts),
                    Direction.LESS_IS_BETTER,
                )
            )
    return rows
