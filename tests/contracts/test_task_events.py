from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import environment as env
from contracts.errors import EventError
from contracts.events import Event
from contracts.task_events import assembled, event_variables, overrides, overrides_size, path_keys

S3 = {
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {
        "bucket": {"name": "photos"},
        "object": {"key": 'a "b"/ü.jpg', "version-id": "v1", "sequencer": "00617F08299329D189"},
    },
}


def test_overrides_set_variables_of_one_container_and_are_measured_as_ecs_does():
    document = overrides("worker", {env.EVENT: '{"a": 1}'})
    assert document == {
        "containerOverrides": [{"name": "worker", "environment": [{"name": env.EVENT, "value": '{"a": 1}'}]}]
    }
    assert overrides_size(document) == len(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("$.id", ["id"]),
        ("$.detail-type", ["detail-type"]),
        ("$.detail.object.key", ["detail", "object", "key"]),
        ("$.detail['version-id']", ["detail", "version-id"]),
        ("$.detail['a'].b", ["detail", "a", "b"]),
    ],
)
def test_a_path_is_a_list_of_keys(path: str, keys: list[str]):
    assert path_keys(path) == keys


@pytest.mark.parametrize("path", ["", "$", "detail.key", "$.a[0]", "$.a..b", "$."])
def test_other_paths_are_refused(path: str):
    with pytest.raises(EventError) as caught:
        path_keys(path)
    assert f"path {path!r} is not supported" in str(caught.value)


def test_an_event_is_put_together_from_its_parts_and_absent_parts_stay_absent():
    fields = {"ID": "$.id", "KEY": "$.detail.object.key", "VERSION": "$.detail.object.version-id"}
    assert json.loads(event_variables(fields)[env.EVENT_PATHS]) == fields
    event = assembled(fields, {"ID": "1", "KEY": "a", "VERSION": ""})
    assert event == {"id": "1", "detail": {"object": {"key": "a"}}}


def test_a_path_through_a_text_is_refused():
    with pytest.raises(EventError):
        assembled({"A": "$.detail", "B": "$.detail.b"}, {"A": "x", "B": "y"})


_KEYS = st.text("abcdef-_", min_size=1, max_size=6)


@given(st.dictionaries(_KEYS, st.text(min_size=1, max_size=20), min_size=1, max_size=6))
def test_parts_and_assembly_are_inverse(detail: dict[str, str]):
    fields = {f"V{number}": f"$.detail.{key}" for number, key in enumerate(detail)}
    variables = {f"V{number}": value for number, value in enumerate(detail.values())}
    assert assembled(fields, variables) == {"detail": detail}


def test_an_object_event_is_its_detail_and_its_key_is_the_same_in_every_copy():
    event = Event.from_envelope(S3)
    assert event.data == S3["detail"]
    assert event.detail_type == "Object Created"
    assert json.loads(event.idempotency_key) == ["photos", 'a "b"/ü.jpg', "v1", "00617F08299329D189"]
    assert Event.from_envelope({**S3, "id": "another-copy"}).idempotency_key == event.idempotency_key


def test_an_event_of_another_aws_service_goes_by_its_id_and_needs_one():
    event = {"id": "1", "source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"version": 3}}
    assert Event.from_envelope(event).idempotency_key == "1"
    assert Event.from_envelope(event).data == {"version": 3}
    with pytest.raises(EventError):
        Event.from_envelope({**event, "id": ""})


def test_an_aws_event_survives_the_way_through_its_envelope():
    event = Event.from_envelope(S3)
    assert Event.from_envelope(event.to_envelope()) == Event.from_envelope(
        Event.from_envelope(event.to_envelope()).to_envelope()
    )
    assert Event.from_envelope(event.to_envelope()).data == event.data
    assert Event.from_envelope(event.to_envelope()).idempotency_key == event.idempotency_key


def test_other_sources_still_need_their_metadata():
    with pytest.raises(EventError):
        Event.from_envelope({**S3, "source": "pizza.service.com"})
