"""The lines of progress where stderr is no terminal."""

from __future__ import annotations

from ops.local.demo.progress import live_lines


def test_a_line_is_written_when_the_step_changes_and_not_for_each_number() -> None:
    said: list[str] = []
    with live_lines(said.append) as show:
        for text in ("sending 5", "1/5 processed", "2/5 processed", "2/5 processed", "replaying", "3/5 processed"):
            show("orders", text)
    assert said == ["orders: sending 5", "orders: 1/5 processed", "orders: replaying", "orders: 3/5 processed"]


def test_demos_that_run_at_the_same_time_do_not_count_as_each_others_steps() -> None:
    said: list[str] = []
    with live_lines(said.append) as show:
        for number in range(1, 4):
            show("orders", f"{number}/5 processed")
            show("kitchens", f"{number}/9 handled")
    assert said == ["orders: 1/5 processed", "kitchens: 1/9 handled"]
