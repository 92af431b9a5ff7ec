"""The table of docs/activity-pool.md, computed."""

from __future__ import annotations

import pytest

from ops.scaling_model.per_object import Estimate, Pool, Work, one_task_each, pooled
from tests.emulator import ROOT

DOCUMENT = (ROOT / "docs" / "activity-pool.md").read_text()
POOL_TASKS = {1_000: 10, 100_000: 100, 10_000_000: 500}


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} days"


def _cells(found: Estimate) -> str:
    rate = f"{found.calls_per_second:,.0f}/s"
    return f"{_duration(found.seconds)} | {found.calls:,} ({rate}) | {found.usd:,.2f} | {found.usd_spot:,.2f}"


@pytest.mark.parametrize("objects", POOL_TASKS)
def test_the_table(objects: int) -> None:
    work, tasks = Work(objects=objects, seconds=1), POOL_TASKS[objects]
    rows = [
        f"| {objects:,} | RunTask for each | {_cells(one_task_each(work))} |",
        f"| | pool of {tasks} tasks | {_cells(pooled(work, Pool(tasks=tasks)))} |",
    ]
    assert "\n".join(rows) in DOCUMENT


def test_the_arithmetic_by_hand() -> None:
    """100,000 objects of a second each."""
    work = Work(objects=100_000, seconds=1)
    task_hour = 0.25 * 0.04048 + 0.5 * 0.004445
    each = one_task_each(work)
    assert each.seconds == (100_000 - 100) / 20 + 30 + 1
    assert each.usd == pytest.approx(100_000 * 60 / 3600 * task_hour)
    pool = pooled(work, Pool(tasks=100))
    assert pool.seconds == 300 + 100_000 / 100
    assert pool.calls == 20_000
    assert pool.usd == pytest.approx(100 * (1_000 + 150 + 300) / 3600 * task_hour + 20_001 * 0.000025)


def test_long_work_is_billed_for_what_it_takes_and_a_huge_pool_is_bounded_by_the_polls() -> None:
    long = one_task_each(Work(objects=1, seconds=600))
    assert long.usd == pytest.approx(630 / 3600 * (0.25 * 0.04048 + 0.5 * 0.004445))
    bounded = pooled(Work(objects=1_000_000, seconds=1), Pool(tasks=5_000, batch=1))
    assert bounded.seconds == 300 + 1_000_000 / 500
