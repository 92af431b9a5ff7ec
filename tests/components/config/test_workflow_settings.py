from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from components.config.workflow import WorkflowSettings

HANDLER = {"function": "kitchen:bake", "image": "worker:1"}


def settings(*steps: dict[str, Any], **changes: Any) -> WorkflowSettings:
    document = {
        "pattern": "workflow",
        "events": {"source": ["pizza"]},
        "steps": tuple({"name": "bake", "kind": "sync", "handler": HANDLER, **step} for step in steps),
        **changes,
    }
    return WorkflowSettings.model_validate(document)


def test_a_step_has_safe_limits_without_being_told():
    callback, activity, short = settings(
        {"kind": "callback"},
        {"name": "label", "kind": "activity"},
        {"name": "quick", "kind": "callback", "timeout_seconds": 60},
    ).steps
    assert (callback.timeout, callback.heartbeat) == (3600, 120)
    assert (activity.timeout, activity.heartbeat) == (3600, 30)
    assert (short.timeout, short.heartbeat) == (60, 59)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "at least 1 item"),
        ([{}, {}], "bake: the name of more than one step; rename one"),
        ([{"name": "Bake"}], "should match pattern"),
        ([{"kind": "later"}], "Input should be 'request-response', 'sync', 'callback' or 'activity'"),
        ([{"kind": "request-response", "timeout_seconds": 5}], "timeout_seconds is not for kind: request-response"),
        ([{"kind": "request-response", "spot": True}], "spot is not for kind: request-response"),
        ([{"kind": "sync", "heartbeat_seconds": 5}], "heartbeat_seconds is not for kind: sync; remove it"),
        ([{"kind": "callback", "workers": 2}], "workers is not for kind: callback; remove it"),
        ([{"kind": "callback", "timeout_seconds": 60, "heartbeat_seconds": 60}], "is 60, not below timeout_seconds"),
        ([{"kind": "callback", "timeout_seconds": 3}], "timeout_seconds is 3"),
        ([{"retry": {"interval_seconds": 300}}], "max_delay_seconds is 300, not over interval_seconds"),
    ],
)
def test_a_step_that_cannot_work_is_refused_with_the_reason(steps: list[dict[str, Any]], message: str):
    with pytest.raises(ValidationError, match=message):
        settings(*steps)


def test_events_that_are_no_pattern_are_refused():
    with pytest.raises(ValidationError, match="not an event pattern"):
        settings({}, events={"source": "pizza"})
