"""What the launcher has to know, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts import launching as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["LaunchSettings", "read"]

_MIN_RATE, _MAX_RATE, _DEFAULT_RATE = 0.1, 20.0, 5.0


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
        launches_per_second=_rate(reader),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


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
