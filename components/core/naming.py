"""Logical names. Physical names are left to the provider's autonaming: ``<logical name>-<7 hex digits>``.

A replacement can then be created before the old resource is deleted, and two stacks never collide in one account.
"""

from __future__ import annotations

import re

import pulumi

from components.core.errors import InvalidNameError

__all__ = [
    "MAX_API_DESTINATION_NAME",
    "MAX_BROKER_NAME",
    "MAX_BUS_NAME",
    "MAX_COMPONENT_NAME",
    "MAX_GLOBAL_ENDPOINT_NAME",
    "MAX_PATTERN_NAME",
    "check_name",
    "stack_name",
]

MAX_PATTERN_NAME = 28
"""Longest name of a pattern: with the longest suffix of a child (``-undelivered-execution-role``, 27) and the
provider's eight characters it stays within the 64 of an IAM role and of an EventBridge rule."""

MAX_COMPONENT_NAME = 48
"""Longest name of any component: 64 (IAM role, EventBridge rule) less a short suffix and the provider's eight."""

MAX_BUS_NAME = 32
"""Longest name of a bus: the 48 of an EventBridge archive less ``-archive`` and the provider's eight."""

MAX_BROKER_NAME = 42
"""Longest name of a broker: the 50 of Amazon MQ less the provider's eight, which itself would go up to 55."""

MAX_API_DESTINATION_NAME = 45
"""Longest name of an API destination: the 64 of its connection less ``-connection`` and the provider's eight."""

MAX_GLOBAL_ENDPOINT_NAME = 39
"""Longest name of a global endpoint: the 64 of its role less ``-replication-role`` and the provider's eight."""

_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?!-))*(?<!-)")

_RESERVED = {"internal-": "a load balancer", "sg-": "a security group"}
"""How names of these must not begin (API references of Elastic Load Balancing and EC2)."""


def check_name(name: str, *, longest: int = MAX_COMPONENT_NAME) -> str:
    """Return `name`, or raise InvalidNameError with what is allowed.

    The rule is the intersection of what SQS, IAM, EventBridge, ECS, CloudWatch, EC2 and Elastic Load Balancing accept.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidNameError(
            f"name {name!r}: use lower-case letters, digits and single hyphens, starting with a letter, e.g. 'orders'"
        )
    for beginning, what in _RESERVED.items():
        if name.startswith(beginning):
            raise InvalidNameError(
                f"name {name!r}: AWS lets no name of {what} begin with {beginning!r}; begin otherwise"
            )
    if len(name) > longest:
        raise InvalidNameError(f"name {name!r}: {len(name)} characters, at most {longest} are allowed; shorten it")
    return name


def stack_name(name: str) -> str:
    """``<project>-<stack>-<name>``, for what has one name in an account and region and gets none from the provider."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"
