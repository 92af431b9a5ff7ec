"""Commands are measured, bounded in time, and their failures told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.processes import CommandError, run


def python(code: str, tmp_path: Path, timeout_seconds: float = 20):
    return run([sys.executable, "-c", code], tmp_path / "out", environment={}, timeout_seconds=timeout_seconds)


def test_output_time_and_memory(tmp_path: Path):
    ran = python("data = b'x' * 200 * 1024**2; print(len(data)); import time; time.sleep(1)", tmp_path)
    assert ran.stdout == f"{200 * 1024**2}\n"
    assert ran.peak_mib > 200
    assert ran.cpu_seconds > 0
    assert ran.seconds > 0


def test_memory_is_that_of_the_child_and_not_of_who_started_it(tmp_path: Path):
    ballast = bytearray(200 * 1024**2)
    ballast[::4096] = b"x" * len(ballast[::4096])
    assert python("import time; time.sleep(0.1)", tmp_path).peak_mib < 100


def test_nothing_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.com")
    ran = python("import os; print(sorted(name for name in os.environ if name.startswith('AWS')))", tmp_path)
    assert ran.stdout == "[]\n"


def test_a_failure_has_its_status_and_its_words(tmp_path: Path):
    with pytest.raises(CommandError, match=r"status 3: no queue"):
        python("import sys; sys.stderr.write('no queue'); sys.exit(3)", tmp_path)


def test_what_takes_too_long_is_killed(tmp_path: Path):
    with pytest.raises(CommandError, match=r"within 0.3 s"):
        python("import time; time.sleep(60)", tmp_path, timeout_seconds=0.3)
