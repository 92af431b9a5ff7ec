"""Another event bus: PutEvents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import classify_code

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["EventBus", "bus_entry"]


def bus_entry(bus_arn: str, event: Mapping[str, Any], detail: str) -> dict[str, Any]:
    """The PutEvents entry of an event; EventBridge gives it a new id, and our account and region.

    Args:
        bus_arn: the target.
        event: as the rule matched it.
        detail: its detail as JSON text.
    """
    entry: dict[str, Any] = {
        "EventBusName": bus_arn,
        "Source": str(event.get("source", "")),
        "DetailType": str(event.get("detail-type", "")),
        "Detail": detail,
        "Resources": [str(arn) for arn in event.get("resources") or ()],
    }
    with suppress(ValueError):  # an event without a time gets that of the replay
        entry["Time"] = datetime.fromisoformat(str(event.get("time", "")))
    return entry


class EventBus:
    """A bus; what it gets is PutEvents entries.

    Args:
        client: for the bus's region, without retries of its own.
        arn: of the bus.
    """

    max_entries = 10
    max_bytes = 1_048_576
    """EventBridge quotas: all entries of a request together."""
    remembers_seconds = 0.0

    def __init__(self, client: EventBridgeClient, arn: str) -> None:
        self._client = client
        self.name = f"bus {arn.rsplit('/', 1)[-1]}"

    def size(self, payload: dict[str, Any]) -> int:
        # EventBridge user guide, "Calculating PutEvents event entry size"; the time counts 14 bytes.
        texts = [payload["Source"], payload["DetailType"], payload["Detail"], *payload["Resources"]]
        return 14 + sum(len(text.encode()) for text in texts)

    def send(self, items: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Answer | None]:
        entries: list[Any] = [entry for _, entry in items]
        response = self._client.put_events(Entries=entries)
        answers: list[Answer | None] = []
        for entry in response["Entries"]:
            code = entry.get("ErrorCode")
            reason = f"{self.name} refused it: {code} {entry.get('ErrorMessage', '')}".strip()
            answers.append(Answer(classify_code(code), reason) if code else TAKEN)
        return answers
