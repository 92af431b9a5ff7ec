"""Create a job through the function create_job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.manifest import PatternManifest
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["CreatedJob", "caller_arn", "create_job", "parse_data", "parse_environment"]


@dataclass(frozen=True, kw_only=True)
class CreatedJob:
    """What create_job answered.

    Attributes:
        job_id: of the job.
        new: False: the token was known, and this is its job.
        launched: False: it has no task yet, and `problem` says why; it will be tried again.
        problem: empty when there is none.
    """

    job_id: str
    new: bool
    launched: bool
    problem: str = ""


def parse_environment(pairs: Sequence[str]) -> dict[str, str]:
    """``["MONTH=11"]`` → ``{"MONTH": "11"}``.

    Raises:
        UsageError: no ``=``, or a name twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--env {pair!r}: not a variable", "write --env NAME=VALUE")
        if name in found:
            raise UsageError(f"--env {name}: is there twice")
        found[name] = value
    return found


def parse_data(text: str) -> dict[str, Any]:
    """The JSON object of ``--data``.

    Raises:
        UsageError: it is none.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--data is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise UsageError(f"--data is {text[:60]!r}; allowed is a JSON object")
    return data


def caller_arn(aws: Aws) -> str:
    """Who these credentials are."""
    arn: str = aws.client("sts").get_caller_identity()["Arn"]
    return arn


def create_job(
    aws: Aws, pattern: PatternManifest, *, environment: Mapping[str, str], data: Mapping[str, Any], token: str
) -> CreatedJob:
    """Ask create_job, once or, after a lost answer, again: the token makes it one job.

    Raises:
        UsageError: the request cannot be carried out as it is.
        OpsError: the job could not be created, or has failed at once.
    """
    assert pattern.jobs is not None
    request = {"environment": environment, "data": data, "token": token, "requested_by": caller_arn(aws)}
    doing = f"creating a job of {pattern.name}"
    try:
        answer = aws.client("lambda").invoke(
            FunctionName=pattern.jobs.create_function, Payload=json.dumps(request).encode()
        )
    except Exception as error:
        raise explain(error, doing) from error
    text = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        raise OpsError(
            f"{doing}: the function {pattern.jobs.create_function} failed ({text[:300]})",
            f"its log has the trace; repeat with --token {token}: the job is created at most once",
        )
    return _read(json.loads(text), token, doing)


def _read(answer: Mapping[str, Any], token: str, doing: str) -> CreatedJob:
    status, job_id = answer["status"], str(answer.get("job_id") or "")
    if status in (200, 201, 202):
        problem = str(answer.get("launch_error") or "") if status == 202 else ""
        return CreatedJob(job_id=job_id, new=status != 200, launched=status != 202, problem=problem)
    if status == 409:
        raise OpsError(f"{doing}: {answer['error']}", "leave --token out to create a new job")
    if status in (400, 413):
        raise UsageError(f"{doing}: {answer['error']}")
    hint = f"`ops jobs show {job_id}` has the record" if job_id else ""
    raise OpsError(f"{doing}: {answer.get('error') or answer.get('reason')}", hint)
