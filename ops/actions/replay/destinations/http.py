"""One HTTP request, and what its answer means for a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import Fault, SendError

__all__ = ["TIMEOUT_SECONDS", "HttpReply", "answer_of", "request"]

TIMEOUT_SECONDS = 5.0
"""EventBridge user guide, "API destinations": how long an API has to answer."""

_REPEATED = frozenset({401, 407, 409, 429})
"""Beside 5xx, what EventBridge repeats (EventBridge user guide, "Retry policy … for API destinations")."""
_FROM_A_GATEWAY = frozenset({502, 504})
"""The API behind it may have acted."""
_BODY_BYTES = 1_048_576


@dataclass(frozen=True)
class HttpReply:
    """Status, headers (their names in lower case), and the first MiB of the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def request(
    method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float = TIMEOUT_SECONDS
) -> HttpReply:
    """Send it once; no redirect is followed, which would show the credentials to another host.

    Raises:
        SendError: there was no answer.
    """
    import urllib3

    try:
        response = _pool().request(
            method,
            url,
            headers=dict(headers),
            body=body,
            timeout=urllib3.Timeout(TIMEOUT_SECONDS),
            redirect=False,
            retries=False,
            preload_content=False,
        )
        try:
            return HttpReply(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                response.read(_BODY_BYTES),
            )
        finally:
            response.release_conn()
    except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError) as error:
        raise SendError(Fault.UNREACHABLE, f"{_host(url)} cannot be reached ({_short(error)})") from error
    except urllib3.exceptions.LocationValueError as error:
        raise SendError(Fault.INVALID, f"{url!r} is no URL ({_short(error)})") from error
    except urllib3.exceptions.SSLError as error:
        raise SendError(Fault.UNREACHABLE, f"{_host(url)}: TLS failed ({_short(error)})") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SendError(Fault.TRANSIENT, f"{_host(url)} did not answer ({_short(error)})") from error


def answer_of(name: str, reply: HttpReply) -> Answer:
    """What the status says about the message.

    Raises:
        SendError: a gateway answered, and what is behind it may have acted.
    """
    if 200 <= reply.status < 300:
        return TAKEN
    reason = f"{name} answered HTTP {reply.status}"
    if reply.status in _FROM_A_GATEWAY:
        raise SendError(Fault.TRANSIENT, reason)
    passing = reply.status in _REPEATED or reply.status >= 500
    return Answer(Fault.THROTTLED if passing else Fault.INVALID, reason)


@cache
def _pool() -> Any:
    """botocore's own HTTP library; safe for many threads."""
    import urllib3

    return urllib3.PoolManager(maxsize=64)


def _host(url: str) -> str:
    return url.split("?", 1)[0]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
