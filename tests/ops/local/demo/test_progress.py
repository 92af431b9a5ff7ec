"""The line of progress where stderr is no terminal."""

from __future__ import annotations

from ops.local.demo.progress import live_line


def test_a_line_is_written_when_the_step_changes_and_not_for_each_number() -> None:
    said: list[str] = []
    with live_line(said.append) as show:
        for text in ("sending 5", "1/5 processed", "2/5 processed", "2/5 processed", "replaying", "3/5 processed"):
            show(text)
    assert said == ["sending 5", "1/5 processed", "replaying", "3/5 processed"]
