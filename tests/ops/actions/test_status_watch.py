"""`ops status --watch`: it goes on until a signal, whatever happens to the network, and shows no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

import pytest

from ops.exit_codes import ExitCode
from tests.emulator import ROOT, free_port
from tests.faults.proxy import ANY, Fault, FaultsProxy
from tests.ops.scene import Scene

_SECONDS = 60


@pytest.fixture
def patterns(scene: Scene) -> Scene:
    """Two patterns with a queue each, three messages in the first."""
    for name, count in (("orders", 3), ("payments", 0)):
        queue = scene.queue(name)
        scene.fill(queue, [str(n) for n in range(count)])
        scene.publish_pattern(name, {"queue": scene.queue_ref(queue)})
    return scene


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """The result of `work`, which must not hang the test."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"nothing came within {seconds} seconds"
    return found[0]


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    line = _within(_SECONDS, stream.readline)
    assert isinstance(line, str)
    return line


def _interrupted(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=_SECONDS)
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_json_is_a_line_for_each_reading_and_a_signal_ends_it(patterns: Scene, number: signal.Signals) -> None:
    process = patterns.start("--stack", "dev", "status", "--watch", "--interval", "1", "--output", "json")
    try:
        first = json.loads(_line(process.stdout))
        patterns.fill(patterns.queue("payments"), ["one"])
        second = json.loads(_line(process.stdout))
        while second["patterns"][1]["visible"] != 1:
            second = json.loads(_line(process.stdout))
        code, errors = _interrupted(process, number)
    finally:
        process.kill()

    assert [(one["name"], one["visible"]) for one in first["patterns"]] == [("orders", 3), ("payments", 0)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["at"])
    assert second["at"] > first["at"]
    assert (code, errors) == (ExitCode.INTERRUPTED, "")


def test_when_aws_is_away_a_line_says_so_and_it_goes_on_until_aws_is_back(patterns: Scene) -> None:
    with FaultsProxy(patterns.environment["AWS_ENDPOINT_URL"]) as proxy:
        environment = {"AWS_ENDPOINT_URL": proxy.url}
        words = ("--stack", "dev", "status", "--watch", "--interval", "1", "--output", "json")
        process = patterns.start(*words, environment=environment)
        try:
            assert json.loads(_line(process.stdout))["patterns"]
            proxy.inject(ANY, Fault.DROPPED_BEFORE, times=None)
            said = _line(process.stderr)
            while "reading the patterns of stack dev" not in said:  # the reading under way may lose only its parts
                said = _line(process.stderr)
            proxy.heal()
            back = json.loads(_line(process.stdout))
            while any(one["problems"] for one in back["patterns"]):
                back = json.loads(_line(process.stdout))
            code, errors = _interrupted(process, signal.SIGINT)
        finally:
            process.kill()

    assert said.endswith("; trying again\n")
    assert [one["visible"] for one in back["patterns"]] == [3, 0]
    assert code == ExitCode.INTERRUPTED
    assert "Traceback" not in errors


def test_a_first_reading_that_fails_is_an_error(patterns: Scene) -> None:
    patterns.through(f"http://127.0.0.1:{free_port()}")

    ran = patterns.run("--stack", "dev", "status", "--watch")

    assert (ran.code, ran.stdout) == (ExitCode.ERROR, "")
    first, hint = ran.stderr.splitlines()
    assert first.startswith("Error: reading the patterns of stack dev: the AWS endpoint cannot be reached")
    assert "ops local up" in hint


def test_without_a_terminal_tables_follow_each_other(patterns: Scene) -> None:
    process = patterns.start("--stack", "dev", "status", "orders", "--watch", "--interval", "1")
    try:
        lines = [_line(process.stdout).split() for _ in range(6)]
        code, errors = _interrupted(process, signal.SIGINT)
    finally:
        process.kill()

    assert [line[:2] for line in (lines[1], lines[4])] == [["name", "pattern"]] * 2
    assert [line[:3] for line in (lines[2], lines[5])] == [["orders", "queue-worker", "3"]] * 2
    assert lines[0][0] < lines[3][0]  # times
    assert (code, errors) == (ExitCode.INTERRUPTED, "")


def test_on_a_terminal_it_is_drawn_in_place_and_the_cursor_comes_back(patterns: Scene) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "--stack", "dev", "status", "--watch", "--interval", "1"],
        cwd=ROOT,
        env={**patterns.environment, "TERM": "xterm", "COLUMNS": "150", "LINES": "40"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    shown = b""  # a reading may end within a character

    def read_until_two_readings() -> bool:
        nonlocal shown
        while shown.count(b"Ctrl-C ends") < 2:
            shown += os.read(controller, 4096)
        return True

    def read_to_the_end() -> bool:
        nonlocal shown
        with contextlib.suppress(OSError):  # the end of a terminal
            while more := os.read(controller, 4096):
                shown += more
        return True

    try:
        assert _within(_SECONDS, read_until_two_readings)
        process.send_signal(signal.SIGINT)
        assert _within(_SECONDS, read_to_the_end)
        process.wait(timeout=_SECONDS)
    finally:
        process.kill()
        os.close(controller)

    seen = shown.decode()
    assert process.returncode == ExitCode.INTERRUPTED
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert "payments" in seen
    assert "\x1b[1A" in seen  # the second one is drawn over the first
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--interval", "3"), "--interval needs --watch"),
        (("--watch", "--interval", "0.5"), "--interval is 0.5; allowed are 1 to 3600 seconds"),
        (("--watch", "--interval", "3601"), "--interval is 3601; allowed are 1 to 3600 seconds"),
    ],
)
def test_wrong_intervals(patterns: Scene, words: tuple[str, ...], said: str) -> None:
    ran = patterns.run("--stack", "dev", "status", *words)
    assert ran.code == ExitCode.USAGE
    assert said in ran.stderr
