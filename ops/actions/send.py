"""Publishes events: checked first, all of them; then in batches, and what failed is tried again."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import EventError
from contracts.events import MAX_ENTRY_BYTES, Event
from ops.actions.replay.batching import batches
from ops.actions.replay.retrying import Backoff
from ops.errors import OpsError, UsageError, explain
from ops.faults import classify_code

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["SendReport", "parse_events", "send_events"]

_ATTEMPTS = 6


@dataclass
class SendReport:
    """What became of the events, by their position in the input (from 1).

    Attributes:
        sent: position → EventBridge's event id.
        failed: position → reason.
        keys: position → idempotency key.
    """

    sent: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)


def parse_events(text: str, idempotency_key: str | None = None) -> tuple[list[Event], int]:
    """Events of a text: one JSON object, a list, or an object per line. Nothing is accepted unless all is right.

    Args:
        text: the input.
        idempotency_key: for events that have none; with several events ``-1``, ``-2``, … is appended. None makes up
            random keys.

    Returns:
        The events, and for how many a key was made up.

    Raises:
        UsageError: names each event that breaks the contract, by position, path and value.
    """
    documents = _documents(text)
    events: list[Event] = []
    problems: list[str] = []
    made_up = 0
    for position, document in enumerate(documents, 1):
        if _lacks_key(document):
            made_up += idempotency_key is None
            suffix = f"-{position}" if len(documents) > 1 else ""
            key = uuid.uuid4().hex if idempotency_key is None else f"{idempotency_key}{suffix}"
            detail = document["detail"]
            metadata = {**(detail.get("metadata") or {}), "idempotency-key": key}
            document = {**document, "detail": {**detail, "metadata": metadata}}
        try:
            event = Event.from_envelope(document)
        except EventError as error:
            problems.append(f"event {position}: {error}")
            continue
        if (size := _entry_bytes(event.to_entry(""))) > MAX_ENTRY_BYTES:
            problems.append(f"event {position}: {size:,} bytes; EventBridge takes at most {MAX_ENTRY_BYTES:,}")
        events.append(event)
    if problems:
        raise UsageError("; ".join(problems), "nothing was sent; correct the input and send it again")
    if not events:
        raise UsageError("the input holds no event", "give an event, a list of events, or one event per line")
    return events, made_up


def send_events(events_client: EventBridgeClient, bus: str, events: Sequence[Event]) -> SendReport:
    """PutEvents in batches of at most 10 entries and 1 MiB; failed entries are tried again when that can help.

    Raises:
        OpsError: the bus does not exist, or the first request fails for good.
    """
    _check_bus(events_client, bus)
    report = SendReport()
    numbered = list(enumerate(events, 1))
    for position, event in numbered:
        report.keys[position] = event.idempotency_key
    entries = [(position, event.to_entry(bus)) for position, event in numbered]
    for batch in batches(entries, lambda item: _entry_bytes(item[1]), MAX_ENTRY_BYTES):
        try:
            _send_batch(events_client, batch, report)
        except Exception as error:
            explained = explain(error, f"publishing to {bus}")
            if not report.sent:
                raise explained from error
            # Some are out already: the caller must learn which, so the rest is reported and not raised.
            report.failed |= {position: explained.message for position, _ in entries if position not in report.sent}
            return report
    return report


def _check_bus(client: EventBridgeClient, bus: str) -> None:
    try:
        client.describe_event_bus(Name=bus)
    except client.exceptions.ResourceNotFoundException:
        # PutEvents would answer success and drop the events (user guide, "Handling failures with PutEvents").
        raise OpsError(
            f"the event bus {bus!r} does not exist (in this account and region); there are: {_known_buses(client)}",
            "`--pattern NAME` finds the bus of a pattern",
        ) from None
    except Exception as error:
        explained = explain(error, f"the event bus {bus}")
        if "AccessDenied" not in explained.message:
            raise explained from error
        # Whoever may only publish may not describe: PutEvents itself will tell.


def _known_buses(client: EventBridgeClient) -> str:
    names: list[str] = []
    token: dict[str, Any] = {}
    try:
        while True:
            page = client.list_event_buses(**token)
            names += [found["Name"] for found in page["EventBuses"]]
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
    except (ClientError, BotoCoreError):  # whoever may describe one bus need not be allowed to list them
        return "unknown, listing them failed"
    return ", ".join(sorted(names)) or "none"


def _send_batch(client: EventBridgeClient, batch: list[tuple[int, dict[str, Any]]], report: SendReport) -> None:
    pending = batch
    backoff = Backoff(threading.Event(), attempts=_ATTEMPTS)
    for attempt in range(1, _ATTEMPTS + 1):
        entries: list[Any] = [entry for _, entry in pending]
        answer = client.put_events(Entries=entries)
        again: list[tuple[int, dict[str, Any]]] = []
        for (position, entry), result in zip(pending, answer["Entries"], strict=True):
            if "ErrorCode" not in result:
                report.sent[position] = result.get("EventId", "")
                report.failed.pop(position, None)
                continue
            report.failed[position] = f"{result['ErrorCode']} {result.get('ErrorMessage', '')}".strip()
            if classify_code(result["ErrorCode"]).worth_retrying:
                again.append((position, entry))
        pending = again
        if not pending:
            return
        if attempt < _ATTEMPTS:
            backoff.pause(attempt)


def _documents(text: str) -> list[Any]:
    stripped = text.strip()
    try:
        document = json.loads(stripped)
    except ValueError as error:
        lines = [line for line in stripped.splitlines() if line.strip()]
        if len(lines) < 2:
            raise UsageError(f"the input is not JSON ({error})") from error
        return [_line(number, line) for number, line in enumerate(lines, 1)]
    return document if isinstance(document, list) else [document]


def _line(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UsageError(f"line {number} of the input is not JSON ({error})") from error


def _lacks_key(document: Any) -> bool:
    """True when only the key is missing: any other mistake is the contract's to report."""
    if not isinstance(document, dict) or not isinstance(document.get("detail"), dict):
        return False
    metadata = document["detail"].get("metadata")
    return metadata is None or (isinstance(metadata, dict) and "idempotency-key" not in metadata)


def _entry_bytes(entry: dict[str, Any]) -> int:
    """What EventBridge counts: Source, DetailType, Detail and Resources in UTF-8, 14 bytes for a Time.

    Source: EventBridge user guide, "Calculating Amazon EventBridge PutEvents event entry size".
    """
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry.get("Resources", [])]
    return sum(len(text.encode()) for text in texts)
