"""What a dead letter says about itself: why it failed, what event it is, when it was sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from contracts.messages import ERROR_CODE, ERROR_MESSAGE, FAILURE, Failure
from ops.actions.replay.messages import DeadLetter

__all__ = ["event_type_of", "sent_text", "why"]


def why(message: DeadLetter) -> tuple[str, str]:
    """The exception's class and text that the worker attached, or EventBridge's error; ``unknown`` without either."""
    if failure := Failure.from_json(message.text_attribute(FAILURE) or ""):
        return failure.error, failure.message
    if code := message.text_attribute(ERROR_CODE):
        return code, message.text_attribute(ERROR_MESSAGE) or ""
    return "unknown", ""


def event_type_of(body: str) -> str:
    """The event's detail-type; ``unknown`` for a body that is no event."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return "unknown"
    value = document.get("detail-type") if isinstance(document, dict) else None
    return value if isinstance(value, str) and value else "unknown"


def sent_text(message: DeadLetter) -> str:
    """When it was first sent, RFC 3339 in UTC."""
    return datetime.fromtimestamp(message.sent_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
