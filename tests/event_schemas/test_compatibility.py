from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from event_schemas import FOLDER, breaking_changes

ORDER = json.loads((FOLDER / "OrderCreated.json").read_text())
RELEASED = sorted((FOLDER / "released").glob("*.json"))


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_no_schema_breaks_what_was_released(path: Any):
    current = FOLDER / path.name
    assert current.exists(), f"{path.name} was released and is gone: consumers still read it"
    assert breaking_changes(json.loads(path.read_text()), json.loads(current.read_text())) == []


def test_every_schema_is_released():
    """A new schema, or a compatible change, is released by copying the file: from then on it is protected."""
    assert [path.name for path in RELEASED] == [path.name for path in sorted(FOLDER.glob("*.json"))]


def changed(**properties: Any) -> dict[str, Any]:
    schema = copy.deepcopy(ORDER)
    schema["properties"] |= properties
    return {**schema, "properties": {k: v for k, v in schema["properties"].items() if v is not None}}


BREAKING = [
    ({**ORDER, "required": [*ORDER["required"], "Tags"]}, "data.Tags: is required now"),
    ({**ORDER, "required": ORDER["required"][1:]}, "data.channel-id: is no longer required"),
    (changed(description=None), "data.description: is gone"),
    (changed(name={"type": "integer"}), "data.name: may no longer be string"),
    (changed(name={"type": "string", "minLength": 2}), "data.name: minLength went from 1 to 2"),
    (changed(name={"type": "string", "minLength": 1, "maxLength": 9}), "data.name: maxLength went from none to 9"),
    (changed(name={"type": "string", "minLength": 1, "pattern": "^a"}), "data.name: pattern changed from 'none'"),
    (changed(city={"type": "string", "minLength": 1, "enum": ["Perth"]}), "data.city: only ['Perth'] is allowed now"),
    (
        changed(OrderType={"type": "array", "items": {"enum": ["Pickup"]}, "minItems": 1}),
        "data.OrderType[]: 'Delivery' is no longer allowed",
    ),
    ({**ORDER, "additionalProperties": False}, "data: refuses unknown fields now"),
    (changed(name={"minLength": 1, "type": "string", "not": {"const": "x"}}), "data.name: not changed from 'none'"),
]


@pytest.mark.parametrize(("schema", "problem"), BREAKING, ids=[text for _, text in BREAKING])
def test_a_breaking_change_is_named(schema: dict[str, Any], problem: str):
    (found,) = breaking_changes(ORDER, schema)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "schema",
    [
        changed(note={"type": "string"}),
        changed(name={"type": ["string", "null"]}),
        changed(Tags={"type": "array"}),
        changed(OrderType={"type": "array", "items": {"enum": ["Pickup", "Delivery", "Table"]}, "minItems": 1}),
        {**ORDER, "description": "said better"},
    ],
    ids=["new optional field", "wider type", "fewer demands", "new value", "description"],
)
def test_a_compatible_change_passes(schema: dict[str, Any]):
    assert breaking_changes(ORDER, schema) == []


def test_an_integer_may_become_a_number_and_not_the_reverse():
    integer, number = {"type": "integer"}, {"type": "number"}
    assert breaking_changes(integer, number) == []
    assert breaking_changes(number, integer) == ["data: may no longer be number; producers of it break. Keep the type"]


def test_a_closed_schema_stays_as_it_is():
    closed = {"additionalProperties": False, "items": True}
    assert breaking_changes(closed, closed) == []
    assert breaking_changes({"type": "array"}, {"type": "array", "items": False})
