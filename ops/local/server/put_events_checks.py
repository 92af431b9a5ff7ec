"""Gap: PutEvents refuses what AWS refuses, and says what AWS swallows.

An entry without Source, DetailType or Detail, or whose Detail is no JSON object, fails (InvalidArgument,
MalformedDetail); a request over 1 MB fails as a whole; an entry's Time is the event's. An event for a bus that does not
exist is *accepted and lost*: that is what AWS does (EventBridge user guide, "Handling failures with PutEvents";
aws/aws-sdk issue 186), so only the server's log tells.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge

from ops.local.server.settings import ServerSettings

__all__ = ["MAX_REQUEST_BYTES", "SEAMS", "entry_bytes", "entry_problem", "install"]

SEAMS = (
    "services.eventbridge._put_events",
    "services.eventbridge._event_bus_name_from_ref",
    "services.eventbridge._ensure_default_bus",
    "services.eventbridge._event_buses",
    "services.eventbridge._events_log_list",
    "services.eventbridge._now_ts",
)

logger = logging.getLogger("ops.local.server.eventbridge")

MAX_ENTRIES = 10
MAX_REQUEST_BYTES = 1024 * 1024
"""The sum over all entries; EventBridge's limit since January 2026."""
_TIME_BYTES = 14
_KEPT_EVENTS = 1000
_TIME: ContextVar[float | None] = ContextVar("time of the entry", default=None)


def entry_bytes(entry: dict[str, Any]) -> int:
    """The size of an entry (EventBridge user guide, "Calculating PutEvents event entry size")."""
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *(entry.get("Resources") or [])]
    size = sum(len(text.encode()) for text in texts if text)
    return size + (_TIME_BYTES if entry.get("Time") is not None else 0)


def entry_problem(entry: dict[str, Any]) -> tuple[str, str] | None:
    """(ErrorCode, ErrorMessage) of an entry that PutEvents refuses; None for a good one."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    try:
        detail = json.loads(entry["Detail"])
    except (ValueError, RecursionError):
        return "MalformedDetail", "Detail is malformed."
    if not isinstance(detail, dict):
        return "MalformedDetail", "Detail is malformed."
    return None


def install(settings: ServerSettings) -> None:
    """Check entries before MiniStack takes them."""
    put_events, now = eventbridge._put_events, eventbridge._now_ts

    def time_of_the_event() -> float:
        given = _TIME.get()
        return float(now()) if given is None else given

    def put(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        entries: list[dict[str, Any]] = data.get("Entries") or []
        if not 1 <= len(entries) <= MAX_ENTRIES:
            return eventbridge.error_response_json(
                "ValidationException", f"Entries has {len(entries)} entries; allowed: 1 to {MAX_ENTRIES}", 400
            )
        if sum(map(entry_bytes, entries)) > MAX_REQUEST_BYTES:
            return eventbridge.error_response_json(
                "ValidationException", "Total size of the entries in the request is over the limit.", 400
            )
        eventbridge._ensure_default_bus()
        results = []
        for entry in entries:
            problem = entry_problem(entry)
            if problem:
                results.append({"ErrorCode": problem[0], "ErrorMessage": problem[1]})
                continue
            _warn_about_unknown_bus(entry)
            given = entry.get("Time")
            token = _TIME.set(float(given) if isinstance(given, int | float) else None)
            try:
                status, headers, body = put_events({"Entries": [entry]}, allow_aws_source)
            finally:
                _TIME.reset(token)
            if status >= 400:
                return status, headers, body
            results += json.loads(body)["Entries"]
        _trim_log()
        failed = sum("ErrorCode" in result for result in results)
        return eventbridge.json_response({"FailedEntryCount": failed, "Entries": results})

    eventbridge._put_events = put
    eventbridge._now_ts = time_of_the_event


def _warn_about_unknown_bus(entry: dict[str, Any]) -> None:
    name, refused = eventbridge._event_bus_name_from_ref(entry.get("EventBusName") or "default")
    if not refused and name not in eventbridge._event_buses:
        logger.warning("PutEvents to the event bus %r, which does not exist: AWS answers success and drops it", name)


def _trim_log() -> None:
    """MiniStack keeps every event for ever and reads none of them: a long run would fill the memory."""
    log = eventbridge._events_log_list()
    if len(log) > 2 * _KEPT_EVENTS:
        del log[:-_KEPT_EVENTS]
