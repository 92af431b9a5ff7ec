"""What the worker reads from a message's properties, and what it writes into those of a copy."""

from __future__ import annotations

import copy
from typing import Any, Final

from pika.spec import Basic, BasicProperties

from contracts.messages import FAILURE, RECEIVE_COUNT

__all__ = ["copied_properties", "receive_count"]

_PERSISTENT: Final = 2


def receive_count(method: Basic.Deliver, properties: BasicProperties) -> int:
    """Attempts before this one are in our own header; deliveries that ended without a word are in the broker's.

    A classic queue does not count; it only tells that there was one before.
    """
    headers = properties.headers or {}
    failed, lost = headers.get(RECEIVE_COUNT, 0), headers.get("x-delivery-count", 1 if method.redelivered else 0)
    return 1 + sum(count for count in (failed, lost) if isinstance(count, int))


def copied_properties(properties: BasicProperties, headers: dict[str, Any], *, history: bool) -> BasicProperties:
    """The message's properties for a copy that outlives a restart of the broker.

    Left out: the sender's user id, which the broker compares with ours; a time to live, which would throw the copy
    away; the broker's counters; and, without `history`, its record of dead-lettering, by which it detects cycles.
    """
    copied = copy.copy(properties)
    copied.delivery_mode = _PERSISTENT
    copied.user_id = None
    copied.expiration = None
    dropped = {FAILURE, RECEIVE_COUNT, "x-delivery-count", "x-acquired-count"}
    kept = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in dropped and (history or not name.startswith(("x-death", "x-first-death-", "x-last-death-")))
    }
    copied.headers = {**kept, **headers}
    return copied
