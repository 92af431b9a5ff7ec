"""What the launcher has to know, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts import launching as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["LaunchSettings", "read"]

_MIN_RATE, _MAX_RATE, _DEFAULT_RATE = 0.1, 20.0, 5.0
_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]+/.*")


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """Every attribute is documented at the variable's name in `contracts.launching`."""

    cluster: str
    task_definition: str
    container: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool = False
    capacity_provider: str = "FARGATE"
    large_events: str | None = None
    launches_per_second: float = _DEFAULT_RATE


def read(environment: Mapping[str, str]) -> LaunchSettings:
    """Read and check the settings.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    settings = LaunchSettings(
        cluster=reader.required(names.CLUSTER, "the cluster's name or ARN"),
        task_definition=reader.required(names.TASK_DEFINITION, "the task definition's family or ARN"),
        container=reader.required(names.CONTAINER, "the name of the container that gets the event"),
        subnets=_listed(reader.required(names.SUBNETS, "subnet ids, with commas between")),
        security_groups=_listed(reader.required(names.SECURITY_GROUPS, "security group ids, with commas between")),
        public_ip=reader.choice(names.PUBLIC_IP, ("true", "false"), "false") == "true",
        capacity_provider=reader.choice(names.CAPACITY_PROVIDER, ("FARGATE", "FARGATE_SPOT"), "FARGATE"),
        large_events=_place(reader),
        launches_per_second=_rate(reader),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _place(reader: Reader) -> str | None:
    text = reader.text(names.LARGE_EVENTS, "")
    if text and not _PLACE.fullmatch(text):
        reader.mistakes.append(f"{names.LARGE_EVENTS}: {text!r} is not a place; allowed: s3://bucket/prefix")
    return text or None


def _rate(reader: Reader) -> float:
    text = reader.text(names.LAUNCHES_PER_SECOND, str(_DEFAULT_RATE))
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not _MIN_RATE <= rate <= _MAX_RATE:
        reader.mistakes.append(
            f"{names.LAUNCHES_PER_SECOND}: {text!r} is out of range; allowed: {_MIN_RATE} to {_MAX_RATE:g}"
        )
    return rate
