from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import EventError
from contracts.events import Event

SCHEMAS = Path(__file__).parents[2] / "contracts" / "schemas"

ORDER: dict[str, Any] = {
    "source": "pizza.service.com",
    "detail-type": "OrderCreated",
    "detail": {
        "metadata": {"idempotency-key": "837uy4erje"},
        "data": {
            "channel-id": "983u4ejrhewio9039oi4kerj",
            "created-at": "2021-11-26T16:05:09-04:00",
            "name": "noPineappleOnPizza",
            "description": "All about real pizza",
            "Tags": ["Food", "Proper Pizza"],
            "OrderType": ["Pickup"],
            "city": "Melbourne",
            "region": "AU",
        },
    },
}


def test_an_envelope_becomes_an_event():
    event = Event.from_json(json.dumps({**ORDER, "id": "1", "time": "2026-01-01T00:00:00Z", "resources": ["arn:x"]}))
    assert event.source == "pizza.service.com"
    assert event.detail_type == "OrderCreated"
    assert event.idempotency_key == "837uy4erje"
    assert event.data["city"] == "Melbourne"
    assert event.id == "1"
    assert event.resources == ("arn:x",)


def test_the_entry_for_put_events_carries_the_detail_as_text():
    entry = Event.from_envelope(ORDER).to_entry("orders-bus")
    assert entry["EventBusName"] == "orders-bus"
    assert entry["DetailType"] == "OrderCreated"
    assert json.loads(entry["Detail"]) == ORDER["detail"]


def without(*path: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(ORDER))
    inner: dict[str, Any] = document
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "event: expected an object, got list []"),
        (without("source"), "source: expected a non-empty string, got None"),
        (without("detail-type"), "detail-type: expected a non-empty string, got None"),
        (without("detail"), "detail: expected an object, got NoneType None"),
        (without("detail", "metadata"), "detail.metadata: expected an object, got NoneType None"),
        (
            without("detail", "metadata", "idempotency-key"),
            "detail.metadata.idempotency-key: expected a non-empty string, got None",
        ),
        (without("detail", "data"), "detail.data: expected an object, got NoneType None"),
        ({**ORDER, "source": 5}, "source: expected a non-empty string, got 5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_contract_names_path_and_value(document: Any, message: str):
    with pytest.raises(EventError) as caught:
        Event.from_envelope(document)
    assert str(caught.value) == message


def test_text_that_is_no_json_is_a_broken_contract():
    with pytest.raises(EventError, match="event: not JSON"):
        Event.from_json("{")


names = st.text(min_size=1, max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(names, v)
)


@given(names, names, names, st.dictionaries(names, values), st.dictionaries(names, values))
def test_an_event_survives_the_envelope(source: str, kind: str, key: str, data: Any, metadata: Any):
    event = Event(
        source=source,
        detail_type=kind,
        idempotency_key=key,
        data=data,
        metadata={**metadata, "idempotency-key": key},
        id="1",
        resources=("arn:a",),
    )
    assert Event.from_json(json.dumps(event.to_envelope())) == event


@pytest.mark.parametrize("name", ["OrderCreated", "ChannelCreated"])
def test_the_sample_events_obey_their_schemas(name: str):
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(ORDER["detail"]["data"])
    for field in schema["required"]:
        assert list(validator.iter_errors({k: v for k, v in ORDER["detail"]["data"].items() if k != field}))
