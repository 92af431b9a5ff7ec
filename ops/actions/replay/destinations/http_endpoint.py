"""HTTP endpoints, as SNS posts to them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ops.actions.replay.destinations.base import Answer
from ops.actions.replay.destinations.http import answer_of, request

__all__ = ["HttpEndpoint", "HttpRequest"]


@dataclass(frozen=True)
class HttpRequest:
    """What an endpoint gets."""

    body: str
    headers: tuple[tuple[str, str], ...]


class HttpEndpoint:
    """An endpoint; a 2xx answer means that it has the message.

    Args:
        url: may have a user and a password, which go into the request's Authorization and nowhere else.
    """

    max_entries = 1
    max_bytes = 1_048_576
    remembers_seconds = 0.0

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        login, _, host = parts.netloc.rpartition("@")
        self._url = parts._replace(netloc=host).geturl()
        self._login = {"Authorization": f"Basic {base64.b64encode(unquote(login).encode()).decode()}"} if login else {}
        self.name = parts._replace(netloc=host, query="").geturl()

    def size(self, payload: HttpRequest) -> int:
        return len(payload.body.encode())

    def send(self, items: Sequence[tuple[str, HttpRequest]]) -> Sequence[Answer | None]:
        [(_, message)] = items
        reply = request("POST", self._url, dict(message.headers) | self._login, message.body.encode())
        return [answer_of(self.name, reply)]
