"""A quick run, from the command to the report, with what needs no installation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.contenders.queue_workers import settings
from bench.processes import ROOT
from tests.program.support import run_program


def test_a_quick_replay_measures_every_contender_and_writes_the_report(tmp_path: Path):
    command = [sys.executable, "-m", "bench", "--only", "replay", "--quick", "--no-install", "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "report.json").read_text())
    assert {row["work"] for row in rows} == {
        "replay, indexed queues, 0 ms round trip",
        "replay, indexed queues, 10 ms round trip",
        "replay, embedded AWS as it is, 0 ms round trip",
    }
    for work in {row["work"] for row in rows}:
        against = [row["peer_version"] for row in rows if row["work"] == work]
        ceiling = "boto3's ceiling: the best of 2 boto3 loops" if "indexed" in work else "boto3's ceiling: a boto3 loop"
        assert [one for one in against if one.startswith(ceiling)]
        assert bool([one for one in against if one.endswith("loop, 1 thread")]) == ("indexed" in work)
    assert all(row["ours"] > 0 and row["peer"] > 0 and row["ratio"] > 0 for row in rows)
    assert "## Replay, indexed queues, 10 ms round trip" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(("work", "peer"), [("stream", "boto3"), ("kafka", "confluent-kafka")])
def test_a_quick_run_compares_a_consumer_of_a_stream_with_a_plain_loop(tmp_path: Path, work: str, peer: str):
    command = [sys.executable, "-m", "bench", "--only", work, "--quick", "--no-install", "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "report.json").read_text())
    assert {row["work"] for row in rows} == {
        f"{work} {what}{kind}"
        for what in ("throughput per core", "latency, 99th percentile")
        for kind in ("", ", with idempotency")
    }
    assert all(row["peer_version"].startswith(f"{peer} ") for row in rows)
    assert all(row["ours"] > 0 and row["peer"] > 0 and row["ratio"] > 0 for row in rows)


def test_the_program_that_is_measured_has_as_many_workers_as_it_says():
    assert len(run_program(settings(3)).names("aws:ecs/service:Service")) == 3
