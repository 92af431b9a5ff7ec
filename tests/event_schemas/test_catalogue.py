from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.events import Event
from event_schemas import Catalogue, SchemaError
from worker.errors import NonRetryableError
from worker.schemas import SchemaMismatchError, checked

DATA = {
    "channel-id": "c1",
    "created-at": "2026-11-20T10:00:00Z",
    "name": "margherita",
    "OrderType": ["Pickup"],
    "city": "Melbourne",
    "region": "AU",
}


def order(kind: str = "OrderCreated", **changes: Any) -> Event:
    data = {key: value for key, value in {**DATA, **changes}.items() if value is not None}
    return Event(source="pizza.service.com", detail_type=kind, idempotency_key="k", data=data)


def test_an_event_that_obeys_its_schema_has_no_problems():
    catalogue = Catalogue.read()
    assert catalogue.knows(order())
    assert catalogue.problems(order(extra=1)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"city": None}, "detail.data: 'city' is a required property"),
        ({"name": 3}, "detail.data.name: 3 is not of type 'string'"),
        ({"OrderType": ["Pickup", "Boat"]}, "detail.data.OrderType[1]: 'Boat' is not one of ['Pickup', 'Delivery']"),
        ({"created-at": "yesterday"}, "detail.data.created-at: 'yesterday' is not a 'date-time'"),
        ({"created-at": "2026-11-20"}, "detail.data.created-at: '2026-11-20' is not a 'date-time'"),
        ({"created-at": "2026-11-20T10:00:00"}, "detail.data.created-at: '2026-11-20T10:00:00' is not a 'date-time'"),
    ],
    ids=str,
)
def test_every_problem_names_its_path(changes: dict[str, Any], problem: str):
    assert Catalogue.read().problems(order(**changes)) == [problem]


def test_an_event_without_a_schema_passes():
    catalogue = Catalogue.read()
    assert not catalogue.knows(order("OrderEaten"))
    assert catalogue.problems(order("OrderEaten", city=None)) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"A.json": "{"}, "A.json: cannot be read"),
        ({"A.json": json.dumps({"$id": "s@A", "type": "text"})}, "A.json: no JSON Schema"),
        ({"A.json": json.dumps({"$id": "s@B"})}, "A.json: its $id is 's@B'; allowed is 'source@A'"),
        ({"A.json": json.dumps({})}, "A.json: its $id is None"),
    ],
    ids=["json", "schema", "id", "no id"],
)
def test_a_schema_that_cannot_be_used_is_refused(tmp_path: Path, files: dict[str, str], problem: str):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SchemaError) as caught:
        Catalogue.read(tmp_path)
    assert str(caught.value).startswith(problem)


def test_the_workers_handler_never_sees_a_wrong_event():
    seen: list[Event] = []
    handle = checked(lambda event: seen.append(event))
    handle(order())
    with pytest.raises(SchemaMismatchError, match="OrderCreated of pizza.service.com: detail.data: 'city' is a req"):
        handle(order(city=None))
    assert len(seen) == 1
    assert issubclass(SchemaMismatchError, NonRetryableError)
