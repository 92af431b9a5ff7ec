"""EventBridge API destinations: the HTTPS request that EventBridge would make, made by this program (ADR 0011)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ops.actions.replay.destinations.base import Answer
from ops.actions.replay.destinations.connection import Connection
from ops.actions.replay.destinations.http import HttpReply, answer_of, request
from ops.actions.replay.input_transformer import as_text, resolve_path
from ops.actions.replay.rate import Pace
from ops.faults import Fault, SendError

__all__ = ["ApiCall", "ApiDestination", "api_call"]

_FIXED_HEADERS = {
    "User-Agent": "Amazon/EventBridge/ApiDestinations",
    "Range": "bytes=0-1048575",
}
_REMOVED_HEADERS = frozenset(
    {
        *("a-im", "accept-charset", "accept-datetime", "accept-encoding", "cache-control", "connection"),
        *("content-encoding", "content-length", "content-md5", "date", "expect", "forwarded", "from", "host"),
        *("http2-settings", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
        *("max-forwards", "origin", "pragma", "proxy-authorization", "range", "referer", "te", "trailer"),
        *("transfer-encoding", "user-agent", "upgrade", "via", "warning"),
    }
)
"""EventBridge user guide, "API destinations as targets": headers that it removes."""
_UNAUTHORIZED = (401, 407)
_LONGEST_WAIT_SECONDS = 30
"""Of what an API asks for with Retry-After: messages are in hand meanwhile."""


@dataclass(frozen=True)
class ApiCall:
    """What an API gets of one event.

    Attributes:
        body: the target's input.
        path: the values of the ``*`` in the URL, in order.
        headers, query: of the target; the connection's own win.
    """

    body: str
    path: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def api_call(body: str, parameters: Mapping[str, Any], event: Mapping[str, Any]) -> ApiCall:
    """The call for one event: the target's HttpParameters, with their paths into the event followed.

    Raises:
        TransformError: a path cannot be read.
    """

    def value(given: str) -> str:
        return as_text(resolve_path(given, event)) if given.startswith("$") else given

    return ApiCall(
        body,
        tuple(value(item) for item in parameters.get("PathParameterValues") or ()),
        {name: value(item) for name, item in (parameters.get("HeaderParameters") or {}).items()},
        {name: value(item) for name, item in (parameters.get("QueryStringParameters") or {}).items()},
    )


class ApiDestination:
    """An API; what it gets is an `ApiCall`. Its answer 2xx means that it has the event.

    Args:
        name: of the API destination.
        endpoint, method: where, and how, it is called.
        per_second: the destination's own rate limit.
        connection: how EventBridge logs in.
        wait: waits so many seconds; True when the run was halted meanwhile.
    """

    max_entries = 1
    max_bytes = 1_048_576
    remembers_seconds = 0.0

    def __init__(
        self,
        name: str,
        endpoint: str,
        method: str,
        per_second: int,
        connection: Connection,
        wait: Callable[[float], bool],
    ) -> None:
        self.name = f"API destination {name}"
        self._endpoint = endpoint
        self._method = method
        self._connection = connection
        self._pace = Pace(per_second)
        self._wait = wait
        self._not_before = 0.0
        self._lock = threading.Lock()

    def size(self, payload: ApiCall) -> int:
        return len(payload.body.encode())

    def send(self, items: Sequence[tuple[str, ApiCall]]) -> Sequence[Answer | None]:
        [(_, call)] = items
        with self._lock:
            asked_to_wait = self._not_before - time.monotonic()
        if self._wait(max(0.0, self._pace.reserve(1), asked_to_wait)):
            raise SendError(Fault.UNREACHABLE, f"{self.name}: the run was ended")
        reply = self._call(call)
        if reply.status in _UNAUTHORIZED and self._connection.forget_token():
            reply = self._call(call)
        if (seconds := reply.headers.get("retry-after", "")).isdecimal():
            with self._lock:
                self._not_before = time.monotonic() + min(int(seconds), _LONGEST_WAIT_SECONDS)
        return [answer_of(self.name, reply)]

    def _call(self, call: ApiCall) -> HttpReply:
        connection = self._connection
        extra = connection.parameters
        url = _with_query(_with_path(self._endpoint, call.path), {**call.query, **extra.query})
        headers = {**call.headers, **extra.headers, **connection.authorization()}
        kept = {name.strip(): value for name, value in headers.items() if name.strip().lower() not in _REMOVED_HEADERS}
        if not any(name.lower() == "content-type" for name in kept):
            kept["Content-Type"] = "application/json; charset=utf-8"
        return request(self._method, url, kept | _FIXED_HEADERS, _with_body(call.body, extra.body).encode())


def _with_path(url: str, values: Sequence[str]) -> str:
    parts = urlsplit(url)
    path = parts.path
    for value in values:
        path = path.replace("*", quote(value, safe=""), 1)
    return urlunsplit(parts._replace(path=path))


def _with_query(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(query=urlencode({**dict(parse_qsl(parts.query, keep_blank_values=True)), **query}))
    )


def _with_body(body: str, extra: Mapping[str, str]) -> str:
    """The connection's body parameters are added to an object; what EventBridge does with others is not documented."""
    if not extra:
        return body
    try:
        document = json.loads(body)
    except ValueError:
        return body
    return json.dumps({**document, **extra}, ensure_ascii=False) if isinstance(document, dict) else body
