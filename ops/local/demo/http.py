"""Requests to what listens on this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Answer", "post"]

_TIMEOUT_SECONDS = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy


class Answer(NamedTuple):
    """`status` is 0 when nobody listens."""

    status: int
    body: str


def post(url: str, document: object, headers: Mapping[str, str]) -> Answer:
    """POST a JSON document."""
    fields = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(document).encode(), fields, method="POST")
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(errors="replace"))
    except OSError:
        return Answer(0, "")
