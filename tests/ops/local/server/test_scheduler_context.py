"""What a schedule hands its target."""

from __future__ import annotations

from datetime import UTC, datetime

from ops.local.server.scheduler_context import with_context


def test_every_attribute_is_filled_in_and_the_schedule_itself_stays_as_it_is() -> None:
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    target = {"Arn": "a", "Input": " ".join(f"<aws.scheduler.{name}>" for name in names)}
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert with_context(target, "arn:schedule", at, "id")["Input"] == "arn:schedule 2026-11-20T08:00:00Z id 1"
    assert target["Input"].startswith("<aws.scheduler.schedule-arn>")
