"""Random schedules of faults, kills and interrupts; the seeds are kept, and so is every schedule that once failed.

`make test` carries out the first 25 schedules and the regressions, `make soak` 500.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import Phase, given, seed, settings

from tests.faults.schedule import Schedule, schedules
from tests.faults.workbench import carry_out_all

_FOLDER = Path(__file__).parent
_SEEDS: list[int] = json.loads((_FOLDER / "seeds.json").read_text())
_REGRESSIONS = [Schedule.from_json(one) for one in json.loads((_FOLDER / "regressions.json").read_text())]
_OF_EACH_SEED = 25


def _made_of(number: int) -> list[Schedule]:
    """What this seed makes up. The schedules are carried out together afterwards, because much of each is waiting."""
    made: list[Schedule] = []

    @seed(number)
    @settings(max_examples=_OF_EACH_SEED + 15, database=None, phases=[Phase.generate])
    @given(schedules())
    def collect(schedule: Schedule) -> None:
        if schedule not in made:
            made.append(schedule)

    collect()
    chosen = made[-_OF_EACH_SEED:]  # the first ones are the simplest
    assert len(chosen) == _OF_EACH_SEED
    return chosen


def test_the_first_schedules_lose_nothing_and_double_no_more_than_was_in_flight(emulator: str, tmp_path: Path) -> None:
    carry_out_all(emulator, tmp_path, _made_of(_SEEDS[0]))


@pytest.mark.soak
@pytest.mark.parametrize("number", _SEEDS[1:])
def test_five_hundred_schedules_lose_nothing_and_double_no_more_than_was_in_flight(
    emulator: str, tmp_path: Path, number: int
) -> None:
    carry_out_all(emulator, tmp_path, _made_of(number))


def test_there_are_five_hundred() -> None:
    assert len(set(_SEEDS)) * _OF_EACH_SEED == 500


def test_what_failed_once_does_not_fail_again(emulator: str, tmp_path: Path) -> None:
    carry_out_all(emulator, tmp_path, _REGRESSIONS)


def test_a_schedule_survives_being_written_down() -> None:
    assert all(Schedule.from_json(json.loads(one.to_json())) == one for one in _REGRESSIONS)
