"""Ratios, spread, and the report they end in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.machine import Machine
from bench.report import Report
from bench.results import Direction, Measured, Skipped, compare, spread_of

PROMISED = {"work", "size", "ours", "peer", "peer_version", "ratio", "runs", "spread"}


def measured(*values: float, unit: str = "messages/s", name: str = "peer 1.0", note: str = "") -> Measured:
    return Measured("peer", name, values, unit, note)


def test_more_is_better_divides_ours_by_theirs():
    row = compare("replay", "10 messages", measured(90, 300, 110), measured(50, 60, 40), Direction.MORE_IS_BETTER)
    assert (row.ours, row.peer, row.ratio, row.runs) == (110, 50, 2.2, 3)


def test_less_is_better_divides_theirs_by_ours():
    row = compare("program", "1 worker", measured(2.0, unit="s"), measured(8.0, unit="s"), Direction.LESS_IS_BETTER)
    assert row.ratio == 4.0


def test_a_peer_that_ran_less_often_sets_the_number_of_runs():
    row = compare("replay", "", measured(1, 2, 3), measured(1, 1), Direction.MORE_IS_BETTER)
    assert row.runs == 2
    assert row.raw == {"ours": [1, 2, 3], "peer": [1, 1]}


def test_the_spread_is_relative_to_the_median():
    assert spread_of([90, 100, 120]) == pytest.approx(0.3)
    assert spread_of([7]) == 0


def test_different_units_are_not_compared():
    with pytest.raises(ValueError, match="peer is in messages/s, peer in s; measure both alike"):
        compare("replay", "", measured(1), measured(1, unit="s"), Direction.MORE_IS_BETTER)


@pytest.fixture
def report() -> Report:
    rows = [
        compare("replay, 0 ms", "10 messages", measured(200), measured(100, name="slow 1.0"), Direction.MORE_IS_BETTER),
        compare("replay, 0 ms", "10 messages", measured(200), measured(250, name="fast 2.0"), Direction.MORE_IS_BETTER),
        compare("worker p99", "5 messages", measured(2), measured(1, note="cold"), Direction.LESS_IS_BETTER),
    ]
    return Report(Machine.here(), rows=rows, skipped=[Skipped("replay", "absent", "npm is not on the PATH")])


def test_the_json_has_what_the_documentation_promises(report: Report, tmp_path: Path):
    report.write(tmp_path)
    rows = json.loads((tmp_path / "report.json").read_text())
    assert rows == [asdict(row) for row in report.rows]
    assert all(set(row) >= PROMISED for row in rows)


def test_the_page_says_where_when_and_with_what(report: Report):
    page = report.markdown()
    assert report.machine.when in page
    assert f"boto3 {report.machine.software['boto3']}" in page
    assert f"{report.machine.processors} logical processors" in page


def test_the_page_has_a_table_per_work_and_hides_no_defeat(report: Report):
    page = report.markdown()
    assert page.count("| Size | Against |") == 2
    assert "| fast 2.0 | 200 | 250 | **0.80** |" in page
    assert "| peer 1.0 (cold) | 2 | 1 | **0.50** |" in page
    assert "- replay: absent: npm is not on the PATH" in page


def test_a_quick_run_says_that_it_compares_nothing(report: Report):
    assert "quick run" not in report.markdown()
    report.quick = True
    assert "**This is a quick run" in report.markdown()
