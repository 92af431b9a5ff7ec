from __future__ import annotations

import json

import pytest

from contracts.errors import EventError
from contracts.workflows import STEP_SOURCE, Step

EVENT = {
    "id": "1",
    "source": "pizza",
    "detail-type": "OrderCreated",
    "detail": {"metadata": {"idempotency-key": "k"}, "data": {"name": "margherita"}},
    "steps": {"check": {"ok": True}},
}


def test_an_event_keeps_its_data_and_gets_the_steps_key_and_the_results_before():
    step = Step.from_json(json.dumps({"step": {"name": "bake", "execution": "arn"}, "input": EVENT}), "token")
    event = step.event()
    assert (event.idempotency_key, event.data["name"], event.id) == ("k#bake", "margherita", "1")
    assert event.metadata["steps"] == {"check": {"ok": True}}
    assert (event.metadata["step"], event.metadata["execution"]) == ("bake", "arn")


def test_any_other_input_is_the_data_and_its_key_is_the_executions():
    step = Step.from_parts('{"Key": "a"}', name="resize", execution="arn", key="")
    event = step.event()
    assert (event.source, dict(event.data), event.idempotency_key) == (STEP_SOURCE, {"Key": "a"}, "arn#resize")
    chosen = Step.from_parts('{"Key": "a"}', name="resize", execution="arn", key="mine").event()
    assert chosen.idempotency_key == "mine"


def test_an_input_that_another_state_machine_wrote_has_a_key_of_its_attempt_only():
    first, second = (Step.from_json('{"Key": "a"}', token).event() for token in ("t1", "t2"))
    assert first.data == second.data == {"Key": "a"}
    assert first.idempotency_key != second.idempotency_key


@pytest.mark.parametrize("text", ["", "x", "[1]", "3"])
def test_what_is_no_object_is_refused(text: str):
    with pytest.raises(EventError, match="step: "):
        Step.from_json(text)


def test_what_looks_like_an_event_must_be_one():
    with pytest.raises(EventError, match="detail: expected an object"):
        Step.from_json('{"detail-type": "OrderCreated"}').event()
