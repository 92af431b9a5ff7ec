from __future__ import annotations

import json

import pytest
from jsonschema import Draft4Validator

from components.core.errors import InvalidArgsError
from components.routers.schemas import EventSchemas, EventSchemasArgs
from contracts.events import Event
from event_schemas import Catalogue
from tests.recorder import record


def test_every_kind_of_event_is_in_the_registry_with_its_envelope():
    catalogue = Catalogue.read()
    recorder = record(lambda: EventSchemas("schemas", EventSchemasArgs(schemas=catalogue.schemas)))
    assert recorder.names("aws:schemas/schema:Schema") == [
        "schemas-com.flix@ChannelCreated",
        "schemas-pizza.service.com@OrderCreated",
    ]
    schema = recorder.one("aws:schemas/schema:Schema", "schemas-com.flix@ChannelCreated").inputs
    assert schema["name"] == "com.flix@ChannelCreated"
    assert schema["registryName"] == "schemas-0a1b2c3"
    assert schema["type"] == "JSONSchemaDraft4"
    content = json.loads(schema["content"])
    Draft4Validator.check_schema(content)
    good = Event(
        source="com.flix",
        detail_type="ChannelCreated",
        idempotency_key="k",
        data={"channel-id": "c", "created-at": "2026-11-20T10:00:00Z", "name": "n", "city": "Perth", "region": "AU"},
    )
    assert Draft4Validator(content).is_valid(good.to_envelope())
    bad = {**good.to_envelope(), "detail": {"metadata": {"idempotency-key": "k"}, "data": {}}}
    assert not Draft4Validator(content).is_valid(bad)
    assert not Draft4Validator(content).is_valid({**good.to_envelope(), "source": "other"})


@pytest.mark.parametrize(
    ("schemas", "problem"),
    [
        ({}, "schemas is empty; leave the registry out instead"),
        ({"A": {}}, "schemas are named ['A']; each is"),
        ({"a@B": {"description": "x" * 257}}, "the descriptions of a@B are longer than the 256 characters"),
    ],
)
def test_wrong_arguments_are_refused(schemas: dict[str, dict[str, str]], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: EventSchemas("schemas", EventSchemasArgs(schemas=schemas)))
    assert str(caught.value).startswith(f"EventSchemas 'schemas': {problem}")
