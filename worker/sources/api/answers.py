"""HTTP answers: a result as JSON, or a problem (RFC 9457, "Problem Details for HTTP APIs")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.shared.json_encoder import Encoder

__all__ = ["Answer", "problem", "result"]

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers (lower case) and body."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def result(value: dict[str, Any] | None, *, replayed: bool = False) -> Answer:
    """200 with what the handler returned; ``null`` when it returned nothing.

    `replayed` says that an earlier request with the same idempotency key was handled, and that this is its result.
    """
    headers = {"content-type": "application/json"}
    if replayed:
        headers["idempotency-replayed"] = "true"
    return Answer(status=HTTPStatus.OK, body=json.dumps(value, cls=Encoder).encode(), headers=headers)


def problem(
    status: HTTPStatus, detail: str, *, retry_after_seconds: int | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """A problem whose type is its status."""
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    fields = {"content-type": "application/problem+json", **(headers or {})}
    if retry_after_seconds is not None:
        fields["retry-after"] = str(retry_after_seconds)
    return Answer(status=status, body=json.dumps(document, ensure_ascii=False).encode(), headers=fields)
