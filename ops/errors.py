"""Errors of `ops`, and the one place that turns a botocore error into a sentence and a next command."""

from __future__ import annotations

from ops.exit_codes import ExitCode
from ops.faults import Fault, SendError, classify

__all__ = ["OpsError", "UsageError", "explain"]


class OpsError(Exception):
    """Something the user must know: one sentence, and what to do about it.

    Args:
        message: what is wrong, with the value and what is allowed.
        hint: the next command to type, or the setting to change; empty when the message says it all.
        exit_code: the status `ops` ends with.
    """

    def __init__(self, message: str, hint: str = "", exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class UsageError(OpsError):
    """The command line cannot be carried out as written; exit code 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, ExitCode.USAGE)


_SENTENCES: dict[Fault, tuple[str, str]] = {
    Fault.NO_CREDENTIALS: (
        "no AWS credentials were found",
        "run `aws configure` or `aws sso login`, or name a profile: `ops --profile NAME …`",
    ),
    Fault.EXPIRED: (
        "the AWS credentials have expired",
        "renew them (`aws sso login`) and run the same command again",
    ),
    Fault.DENIED: (
        "AWS refused the request: these credentials lack a permission",
        "`aws sts get-caller-identity` shows who you are; the permission is named above",
    ),
    Fault.MISSING_QUEUE: (
        "the queue does not exist (in this account and region)",
        "check the URL, `--region` and `--profile`; `aws sqs list-queues` shows what exists",
    ),
    Fault.MISSING: (
        "AWS knows no such resource (in this account and region)",
        "check the name, `--region` and `--profile`",
    ),
    Fault.THROTTLED: (
        "AWS throttled the requests for longer than the retries last",
        "run the same command again, with a lower --rate or --concurrency where the command has them",
    ),
    Fault.UNREACHABLE: (
        "the AWS endpoint cannot be reached",
        "check the network and `--endpoint-url`; for the local environment: `ops local up`",
    ),
    Fault.TRANSIENT: (
        "AWS did not answer properly, also after retries",
        "run the same command again",
    ),
    Fault.NO_REGION: (
        "no AWS region is set",
        "name it: `ops --region ap-southeast-2 …`, or set AWS_DEFAULT_REGION",
    ),
    Fault.NO_PROFILE: (
        "the AWS profile does not exist",
        "`aws configure list-profiles` shows the profiles of this machine",
    ),
}


def explain(error: Exception, doing: str = "") -> OpsError:
    """The `OpsError` for an exception of boto3 or botocore, or a `SendError`; an `OpsError` is returned unchanged.

    Args:
        error: what was raised.
        doing: what `ops` was about to do, e.g. ``reading orders-dlq``; put before the sentence.
    """
    if isinstance(error, OpsError):
        return error
    prefix = f"{doing}: " if doing else ""
    detail = _one_line(error)
    if isinstance(error, SendError):
        return OpsError(f"{prefix}{detail}")
    sentence, hint = _SENTENCES.get(classify(error), ("", ""))
    if not sentence:
        return OpsError(f"{prefix}{detail}")
    return OpsError(f"{prefix}{sentence} ({detail})", hint)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else text[:397] + "..."
