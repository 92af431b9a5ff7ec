"""Runs commands and measures them: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "CommandError", "Ran", "python_module", "run"]

ROOT = Path(__file__).resolve().parents[1]

_POLL_SECONDS = 0.004


class CommandError(Exception):
    """A command of the benchmark failed, or took too long; the message has the end of what it wrote."""


@dataclass(frozen=True)
class Ran:
    """A finished command.

    Attributes:
        seconds: wall time from start to exit, the start of its runtime included.
        cpu_seconds: user and system time, with those of its children that it waited for.
        peak_mib: the largest resident set of the process itself.
        stdout: what it wrote.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    stdout: str


def run(
    command: Sequence[str],
    output: Path,
    *,
    environment: Mapping[str, str],
    directory: Path = ROOT,
    timeout_seconds: float = 120,
) -> Ran:
    """Run a command to its end and measure it.

    Args:
        command: program and arguments; no shell.
        output: file that takes stdout; stderr goes beside it, to a file with the suffix ``.err``.
        environment: all of it; nothing is inherited.
        directory: working directory.
        timeout_seconds: killed after this long.

    Raises:
        CommandError: it exited with another status than 0, or had to be killed.
    """
    errors = output.with_suffix(".err")
    with output.open("wb") as out, errors.open("wb") as err:
        begun = time.monotonic()
        process = subprocess.Popen(
            command, cwd=directory, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            status, cpu_seconds, peak_mib = _wait(process, begun + timeout_seconds)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - begun
    if status is None:
        raise CommandError(f"{command[0]} did not end within {timeout_seconds:g} s and was killed")
    if status != 0:
        tail = (errors.read_text(errors="replace") + output.read_text(errors="replace"))[-600:]
        raise CommandError(f"{command[0]} ended with status {status}: {tail.strip()}")
    return Ran(seconds, cpu_seconds, peak_mib, output.read_text(errors="replace"))


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int | None, float, float]:
    """The exit status (None: killed at the deadline), processor seconds, and the peak of memory in MiB."""
    killed = False
    peak_mib = 0.0
    while True:
        peak_mib = _peak_mib(process.pid) or peak_mib
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            # macOS has no /proc, and counts ru_maxrss in bytes.
            peak_mib = peak_mib or usage.ru_maxrss / 1024**2
            return None if killed else process.returncode, usage.ru_utime + usage.ru_stime, peak_mib
        if time.monotonic() > deadline and not killed:
            process.kill()
            killed = True
        time.sleep(_POLL_SECONDS)


def _peak_mib(pid: int) -> float | None:
    """The high-water mark of a running process, from /proc.

    `ru_maxrss` would not do: on Linux it is at least what the parent had when it started the child.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


@contextmanager
def python_module(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A helper process of this project, with pipes; its standard input is closed, and it is ended, on exit."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
