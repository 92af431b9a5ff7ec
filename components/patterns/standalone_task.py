"""The task of a pattern that runs its handler once and then ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.compute.task import Task, TaskArgs
from components.core.base import Component
from components.core.iam import Statement
from components.patterns.worker import HandlerArgs, handler_task
from components.stores.idempotency_table import IdempotencyTable

__all__ = ["RUN_EXPIRES_HOURS", "StandaloneTaskArgs", "create_task"]

RUN_EXPIRES_HOURS = 48
"""How long a run is remembered: twice as long as Scheduler retries."""


@dataclass(frozen=True, kw_only=True)
class StandaloneTaskArgs(HandlerArgs):
    """Arguments of every pattern whose handler runs in a task of its own.

    Attributes:
        spot: Fargate Spot; default False. Each pattern says what becomes of a reclaimed task.
    """

    spot: bool = False


def create_task(
    owner: Component,
    args: StandaloneTaskArgs,
    *,
    table: IdempotencyTable | None = None,
    expires_hours: int | None = None,
    variables: Mapping[str, pulumi.Input[str]] | None = None,
    grants: Sequence[Statement] = (),
) -> Task:
    """The task of the pattern `owner`; the arguments are those of `handler_task`."""
    definition = handler_task(
        owner.name,
        args,
        command="task",
        variables=variables or {},
        grants=grants,
        table=table,
        expires_hours=expires_hours,
    )
    arguments = TaskArgs(cluster=args.cluster, network=args.network, definition=definition, spot=args.spot)
    return Task(f"{owner.name}-task", arguments, owner.child())
