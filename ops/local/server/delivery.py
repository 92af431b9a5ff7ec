"""One event on its way to one target: what is delivered, and how a failure is called.

The error codes are EventBridge's ERROR_CODE values (EventBridge user guide, "Using dead-letter queues").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ministack.services import eventbridge

__all__ = ["Delivery", "DeliveryError", "ErrorCode", "follow_path"]

# .field, ['field'] or [0]
_STEP = re.compile(r"\.([^.\[]+)|\['([^']*)'\]|\[(\d+)\]")


class ErrorCode(StrEnum):
    """Why a delivery failed."""

    NO_PERMISSIONS = "NO_PERMISSIONS"
    NO_RESOURCE = "NO_RESOURCE"
    INVALID_PARAMETER = "INVALID_PARAMETER"
    INVALID_JSON = "INVALID_JSON"
    ERROR_FROM_TARGET = "ERROR_FROM_TARGET"
    CONNECTION_FAILURE = "CONNECTION_FAILURE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class DeliveryError(Exception):
    """A target did not take the event."""

    def __init__(self, code: ErrorCode, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True)
class Delivery:
    """One event for one target of one rule (or of one schedule)."""

    target: dict[str, Any]
    rule: dict[str, Any]
    event: dict[str, Any]
    view: Any
    born: float

    @property
    def by_rule(self) -> bool:
        """Whether a rule delivers it; a schedule acts with its role and needs no queue policy."""
        return ":events:" in str(self.rule.get("Arn", ""))

    def original(self) -> dict[str, Any]:
        """The event itself, as targets without an input see it."""
        document: dict[str, Any] = self.view.event_with_detail()
        return document

    def input(self) -> str | None:
        """What the target's Input, InputPath or InputTransformer makes of it; None without any of them."""
        if self.target.get("InputTransformer"):
            return str(eventbridge._apply_input_transformer(self.target["InputTransformer"], self.rule, self.view))
        if self.target.get("Input"):
            return str(self.target["Input"])
        if self.target.get("InputPath"):
            return json.dumps(follow_path(self.original(), self.target["InputPath"]))
        return None

    def payload(self) -> str:
        """What the target gets."""
        given = self.input()
        return json.dumps(self.original()) if given is None else given


def follow_path(document: Any, path: str) -> Any:
    """The value under a path like ``$.detail.data['channel-id'][0]``. Raises `DeliveryError` when there is none."""
    found = document
    for name, quoted, index in _STEP.findall(path.removeprefix("$")):
        try:
            found = found[int(index)] if index else found[name or quoted]
        except (KeyError, IndexError, TypeError):
            raise DeliveryError(ErrorCode.INVALID_PARAMETER, f"the event has no {path}") from None
    return found
