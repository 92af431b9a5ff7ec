"""`python -m bench`: measure, and write the report.

The peers are installed first. Everything that is measured then runs in a process that sees no network but loopback,
where this machine can make one.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.isolation import isolated_command, only_loopback, raise_loopback
from bench.machine import Machine
from bench.peers import OUT, PEERS, install
from bench.processes import ROOT
from bench.report import Report
from bench.works import WORKS
from bench.works.size import FULL, QUICK

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when the report is written."""
    options = _parse(arguments)
    OUT.mkdir(parents=True, exist_ok=True)
    if options.inside:
        return _measure(options)
    reasons = {} if options.no_install else _install()
    command = [sys.executable, "-m", "bench", *(sys.argv[1:] if arguments is None else arguments), "--inside"]
    command.append(json.dumps(reasons))
    isolated = isolated_command(command)
    if isolated is None:
        _say("no network namespace can be made here; peers that phone home are left out")
    return subprocess.run(isolated or command, cwd=ROOT, check=False).returncode


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks against named peers.")
    parser.add_argument("--only", choices=sorted(WORKS), action="append", help="measure this only; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small and once: to see that it works, not to compare")
    parser.add_argument("--no-install", action="store_true", help="compare with the peers that are installed already")
    parser.add_argument("--to", type=Path, default=ROOT / "bench", help="folder of the report (default: bench)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _install() -> dict[str, str]:
    reasons: dict[str, str] = {}
    for peer in PEERS:
        if not peer.installed:
            _say(f"installing {peer.title} from {peer.registry}")
        if reason := install(peer):
            reasons[peer.name] = reason
            _say(f"{peer.title} is left out: {reason}")
    return reasons


def _measure(options: argparse.Namespace) -> int:
    if only_loopback():
        raise_loopback()
    # So that servers and contenders are ended on the way out, also when this runs in the background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))
    begun = time.monotonic()
    reasons: dict[str, str] = json.loads(options.inside)
    report = Report(Machine.here(), quick=options.quick)
    written: list[Path] = []
    for name, measure in WORKS.items():
        if not options.only or name in options.only:
            rows, skipped = measure(QUICK if options.quick else FULL, dict(reasons), _say)
            report.rows += rows
            report.skipped += skipped
            report.seconds = time.monotonic() - begun
            # After each work: minutes of measuring are not lost with what comes later.
            written = report.write(options.to)
    for path in written:
        _say(f"wrote {path}")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
