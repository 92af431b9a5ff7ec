"""What a caller may ask for, checked before anything is recorded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import environment as env
from contracts.task_events import MAX_OVERRIDES_CHARACTERS, overrides, overrides_size

__all__ = ["JobRequest", "RefusedError", "job_id_of", "parse", "task_overrides"]

_ALLOWED = ("environment", "data", "token", "requested_by")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_RESERVED = frozenset(getattr(env, name) for name in env.__all__) - {env.LOG_LEVEL}
_RESERVED_PREFIXES = ("AWS_", "ECS_", "FARGATE_")


class RefusedError(Exception):
    """The request cannot be carried out as it is; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A request that can be carried out.

    Attributes:
        environment: variables for the container.
        data: ``detail.data`` of the event that the container gets.
        token: two requests with the same one are one job.
        requested_by: ARN of the caller; None where it is not known.
    """

    environment: Mapping[str, str]
    data: Mapping[str, Any]
    token: str
    requested_by: str | None = None

    def recorded(self) -> dict[str, Any]:
        """What is kept, and compared with a repetition."""
        return {"environment": dict(self.environment), "data": dict(self.data)}


def parse(document: object, *, token: str, pattern: str, container: str) -> JobRequest:
    """Check a request.

    Args:
        document: the caller's JSON.
        token: taken when the caller names none.
        pattern, container: of the task, for its size.

    Raises:
        RefusedError: 400 with every mistake, or 413: it does not fit into a task's environment.
    """
    if not isinstance(document, Mapping):
        raise RefusedError(400, 'the request is no JSON object; allowed: {"environment": {}, "data": {}, "token": ""}')
    mistakes = [f"{name!r} is not known; allowed: {', '.join(_ALLOWED)}" for name in document if name not in _ALLOWED]
    environment, data = document.get("environment") or {}, document.get("data") or {}
    given, requested_by = document.get("token"), document.get("requested_by")
    mistakes += _environment_mistakes(environment)
    if not isinstance(data, Mapping):
        mistakes.append(f"data is {data!r:.60}; allowed is an object")
    if given is not None and (not isinstance(given, str) or not _TOKEN.fullmatch(given)):
        mistakes.append(f"token is {given!r:.60}; allowed are 1 to 128 printable ASCII characters without spaces")
    if requested_by is not None and (not isinstance(requested_by, str) or not 0 < len(requested_by) <= 2048):
        mistakes.append("requested_by is no text of 1 to 2,048 characters")
    if mistakes:
        raise RefusedError(400, "; ".join(mistakes))
    request = JobRequest(environment=environment, data=data, token=given or token, requested_by=requested_by)
    # The time that is put in later is as long as this one.
    document = task_overrides(request.recorded(), pattern, "j-" + 32 * "0", "2026-01-01T00:00:00.000Z", container)
    if (size := overrides_size(document)) > MAX_OVERRIDES_CHARACTERS:
        raise RefusedError(
            413,
            f"environment and data make {size:,} characters of a task's overrides; ECS allows "
            f"{MAX_OVERRIDES_CHARACTERS:,}: put the data into S3 and only its place into the request",
        )
    return request


def _environment_mistakes(environment: object) -> list[str]:
    if not isinstance(environment, Mapping):
        return [f"environment is {environment!r:.60}; allowed is an object of names and texts"]
    mistakes = []
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name):
            mistakes.append(f"environment: {name!r:.60} is no name of a variable; allowed: letters, digits and _")
        elif name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
            mistakes.append(f"environment: {name} is set by the system; choose another name")
        if not isinstance(value, str):
            mistakes.append(f"environment: {name!r:.60} is {value!r:.60}; allowed is a text")
    return mistakes


def job_id_of(pattern: str, token: str) -> str:
    """The same for the same token: two requests with it meet in one record, and in one clientToken of RunTask."""
    return "j-" + hashlib.sha256(f"{pattern}\n{token}".encode()).hexdigest()[:32]


def task_overrides(
    recorded: Mapping[str, Any], pattern: str, job_id: str, created_at: str, container: str
) -> dict[str, Any]:
    """RunTask's overrides: the caller's variables, the job's id, and the event of the worker's source ``task``.

    Made from the record alone, so that every launch of a job asks ECS for the same.
    """
    event = {
        "id": job_id,
        "source": f"{pattern}.jobs",
        "detail-type": "JobRequested",
        "time": created_at,
        "detail": {"metadata": {"idempotency-key": job_id}, "data": recorded["data"]},
    }
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return overrides(container, {**recorded["environment"], env.JOB_ID: job_id, env.EVENT: text})
