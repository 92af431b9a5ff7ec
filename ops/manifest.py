"""Reads what the program published about a stack's patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import ManifestError
from contracts.manifest import PatternManifest, parameter_path
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

__all__ = ["read_pattern", "read_patterns", "require_stack"]


def require_stack(stack: str | None) -> str:
    """The stack's name, or a usage error that says how to give it."""
    if not stack:
        raise UsageError(
            "which stack? A pattern's name means something in a stack only",
            "`ops --stack dev …`, or set EDA_STACK; or name queues and services themselves",
        )
    return stack


def read_patterns(ssm: SSMClient, stack: str | None) -> dict[str, PatternManifest]:
    """All patterns of a stack by name, sorted.

    Raises:
        UsageError: no stack was given.
        OpsError: the stack published nothing, or something that cannot be read.
    """
    path = parameter_path(require_stack(stack))
    try:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        texts = {
            parameter["Name"].rsplit("/", 1)[-1]: parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }
    except Exception as error:
        raise explain(error, f"reading the patterns of stack {stack}") from error
    if not texts:
        raise OpsError(
            f"stack {stack!r} has published no patterns (nothing under the parameters {path})",
            "deploy it (`pulumi up --stack …`, or `ops local up`), or check --stack, --region and --profile",
        )
    try:
        return {name: PatternManifest.from_json(text) for name, text in sorted(texts.items())}
    except ManifestError as error:
        raise OpsError(
            f"stack {stack!r}: {error}", "deploy the stack again with the program of this version"
        ) from error


def read_pattern(ssm: SSMClient, stack: str | None, name: str) -> PatternManifest:
    """One pattern of a stack; a wrong name is answered with the names that exist."""
    patterns = read_patterns(ssm, stack)
    if name not in patterns:
        raise UsageError(
            f"stack {stack!r} has no pattern {name!r}",
            f"its patterns: {', '.join(patterns)} (`ops --stack {stack} status`)",
        )
    return patterns[name]
