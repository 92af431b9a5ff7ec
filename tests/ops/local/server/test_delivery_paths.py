"""JSON paths of targets: InputPath and PartitionKeyPath."""

from __future__ import annotations

import pytest

from ops.local.server.delivery import DeliveryError, follow_path

EVENT = {"id": "e", "detail": {"data": {"channel-id": "c", "OrderType": ["Pickup", "Late"], "a.b": {"x": 1}}}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", EVENT),
        ("$.id", "e"),
        ("$.detail.data.channel-id", "c"),
        ("$.detail.data['channel-id']", "c"),
        ("$['detail']['data'].OrderType[1]", "Late"),
        ("$.detail.data['a.b'].x", 1),
    ],
)
def test_each_kind_of_step_is_followed(path: str, found: object) -> None:
    assert follow_path(EVENT, path) == found


@pytest.mark.parametrize("path", ["$.detail.city", "$.detail.data.OrderType[2]", "$.id.x", "$.detail.data['x']"])
def test_what_the_event_does_not_have_is_said(path: str) -> None:
    with pytest.raises(DeliveryError, match="the event has no "):
        follow_path(EVENT, path)
