"""What the functions have to know, from their environment, which the program writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts import environment as env
from contracts import job_functions, launching

__all__ = ["JobSettings", "LaunchSettings"]


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """Of both functions: see `contracts.job_functions` and `contracts.launching`."""

    stack: str
    pattern: str
    table: str
    retention_days: int
    cluster: str
    container: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> JobSettings:
        return cls(
            stack=environment[env.STACK],
            pattern=environment[env.PATTERN],
            table=environment[job_functions.TABLE],
            retention_days=int(environment[job_functions.RETENTION_DAYS]),
            cluster=environment[launching.CLUSTER],
            container=environment[launching.CONTAINER],
        )


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """Of create_job: how a task is run."""

    task_definition: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool
    capacity_provider: str
    patience_seconds: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> LaunchSettings:
        return cls(
            task_definition=environment[launching.TASK_DEFINITION],
            subnets=tuple(environment[launching.SUBNETS].split(",")),
            security_groups=tuple(environment[launching.SECURITY_GROUPS].split(",")),
            public_ip=environment[launching.PUBLIC_IP] == "true",
            capacity_provider=environment[launching.CAPACITY_PROVIDER],
            patience_seconds=int(environment[job_functions.PATIENCE_SECONDS]),
        )
