"""`ops local logs`: which lines, behind which name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.local.errors import LocalError
from ops.local.home import Home
from ops.local.logs import log_lines


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.logs.mkdir(parents=True)
    (home.logs / "orders-11.log").write_text("first\nsecond")
    (home.logs / "returns-22.log").write_text("other\n")
    home.server_log.write_text("ready\n")
    return home


def test_lines_of_all_tasks_carry_their_task(home: Home) -> None:
    assert sorted(log_lines(home, None, follow=False)) == [
        ("orders-11", "first"),
        ("orders-11", "second"),
        ("returns-22", "other"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("returns", [("returns-22", "other")]), ("22", [("returns-22", "other")]), ("server", [("server", "ready")])],
)
def test_a_name_chooses(home: Home, name: str, expected: list[tuple[str, str]]) -> None:
    assert list(log_lines(home, name, follow=False)) == expected


def test_an_unknown_name_is_answered_with_those_that_exist(home: Home) -> None:
    with pytest.raises(LocalError, match="'pizza'; there are: orders-11, returns-22, server"):
        list(log_lines(home, "pizza", follow=False))


def test_no_logs_yet(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no task has printed anything yet"):
        list(log_lines(Home(tmp_path), None, follow=False))


def test_following_gives_whole_lines_only_and_sees_new_tasks(home: Home) -> None:
    lines = log_lines(home, "orders", follow=True)
    assert next(lines) == ("orders-11", "first")

    with (home.logs / "orders-11.log").open("a") as log:
        log.write(" half\n")
    assert next(lines) == ("orders-11", "second half")

    (home.logs / "orders-33.log").write_text("late\n")
    assert next(lines) == ("orders-33", "late")
