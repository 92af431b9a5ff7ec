"""Which messages a replay is about: those that `--where`, `--id`, `--since` and `--until` leave."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

from ops.actions.replay.description import event_type_of, sent_text, why
from ops.actions.replay.messages import DeadLetter
from ops.errors import UsageError

__all__ = ["EVERYTHING", "NotDecidableError", "Selection", "document_of"]

_ROOTS = "body, attributes, sent, receive_count, id, group, replays, error, message, event_type"


class NotDecidableError(Exception):
    """Whether a message is selected cannot be told."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Conditions that must all hold; without any, every message is selected.

    Attributes:
        where: a JMESPath expression on `document_of` a message; selected is what JMESPath calls true: everything but
            false, null, and empty strings, lists and objects. None: no condition.
        ids: message ids; empty: no condition.
        since: sent at this time or later; None: no condition.
        until: sent before this time; None: no condition.

    Raises:
        UsageError: the expression is none, or `until` is not after `since`.
    """

    where: str | None = None
    ids: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.where is not None:
            _check(self.where)
        if self.since and self.until and self.until <= self.since:
            since, until = (moment.isoformat(timespec="seconds") for moment in (self.since, self.until))
            raise UsageError(f"--until ({until}) is not after --since ({since})")

    @property
    def everything(self) -> bool:
        """True when there is no condition."""
        return not (self.where is not None or self.ids or self.since or self.until)

    def leaves_out(self, message: DeadLetter) -> str:
        """Why the message is not selected; empty when it is.

        Raises:
            NotDecidableError: the expression does not fit this message (a function got a value of a wrong type).
        """
        if self.ids and message.id not in self.ids:
            return "not one of the messages asked for (--id)"
        sent = message.sent_ms / 1000
        if self.since and sent < self.since.timestamp():
            return "sent before --since"
        if self.until and sent >= self.until.timestamp():
            return "sent at or after --until"
        if self.where is None:
            return ""
        try:
            found = jmespath.compile(self.where).search(document_of(message))
        except Exception as error:  # noqa: BLE001 - a function's own errors, too: the message stays where it is
            raise NotDecidableError(f"--where cannot be evaluated on it ({_one_line(error)})") from None
        return "" if _true(found) else "--where does not hold"


EVERYTHING = Selection()


def document_of(message: DeadLetter) -> dict[str, Any]:
    """What `--where` sees: the columns of `ops peek-dlq`, the whole body (parsed when it is JSON), and the attributes.

    A Number attribute is a number, a String one a string, a Binary one base64 text.
    """
    error, text = why(message)
    return {
        "id": message.id,
        "body": _parsed(message.body),
        "attributes": {name: _value(value) for name, value in message.attributes.items()},
        "sent": sent_text(message),
        "receive_count": message.receive_count,
        "group": message.group or "",
        "replays": message.replays,
        "error": error,
        "message": text,
        "event_type": event_type_of(message.body),
    }


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _value(value: Any) -> Any:
    if (raw := value.get("BinaryValue")) is not None:
        return base64.b64encode(raw).decode()
    text = value.get("StringValue")
    if str(value.get("DataType", "")).split(".")[0] != "Number":
        return text
    try:
        return int(text)
    except ValueError:
        return float(text)


def _true(value: Any) -> bool:
    """JMESPath's own idea of truth (specification, "Or expressions"): the number 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))


def _check(expression: str) -> None:
    hint = f"it is JMESPath on {_ROOTS}: --where \"body.detail.city == 'Perth'\""
    try:
        parsed: Any = jmespath.compile(expression).parsed
    except (JMESPathError, RecursionError) as error:
        raise UsageError(f"--where {expression!r} is no JMESPath expression: {_one_line(error)}", hint) from None
    for node in _nodes(parsed):
        # JMESPath's library finds these only where a message leads it to the call.
        if node["type"] == "function_expression":
            known = functions.Functions.FUNCTION_TABLE.get(node["value"])
            if known is None:
                raise UsageError(f"--where {expression!r}: JMESPath has no function {node['value']}()", hint)
            wanted, given = known["signature"], len(node["children"])
            variadic = bool(wanted) and bool(wanted[-1].get("variadic"))
            if given < len(wanted) or (given > len(wanted) and not variadic):
                name = node["value"]
                raise UsageError(f"--where {expression!r}: {name}() takes {len(wanted)} arguments, not {given}")


def _nodes(node: Any) -> Iterable[dict[str, Any]]:
    if isinstance(node, dict) and "type" in node:
        yield node
        for child in node.get("children") or []:
            yield from _nodes(child)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
