"""ItemsCounter: the function that counts, once a minute, the items that a state machine's maps have left."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute.function import Function, FunctionArgs
from components.core.base import Component
from components.core.iam import Statement
from components.routers.minute_tick import minute_tick
from components.stores.queue import DeadLetterQueue
from components.workflows.state_machine import StateMachine
from contracts import environment as env
from contracts import metrics
from contracts.pool_functions import STATE_MACHINE_ARN

__all__ = ["ItemsCounter", "ItemsCounterArgs"]

_TIMEOUT_SECONDS = 45
"""Less than a minute: two of them would count the same."""


@dataclass(frozen=True, kw_only=True)
class ItemsCounterArgs:
    """Arguments of `ItemsCounter`.

    Attributes:
        pattern: whose items.
        state_machine: whose map runs.
        dead_letter_queue: where a tick goes that EventBridge could not deliver: nobody counts then, and it says so.
        log_retention_days: of the function; default 30.
    """

    pattern: str
    state_machine: StateMachine
    dead_letter_queue: DeadLetterQueue
    log_retention_days: int = 30


class ItemsCounter(Component):
    """A rule that ticks, and the function that it calls. A tick that is lost is the next one's.

    Attributes:
        function: the `Function`.
        rule: the raw rule.
    """

    def __init__(self, name: str, args: ItemsCounterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.function = Function(
            name,
            FunctionArgs(
                handler="functions.items_left.handle",
                description=f"Counts the items that {args.pattern} has left",
                environment={
                    env.STACK: pulumi.get_stack(),
                    env.PATTERN: args.pattern,
                    STATE_MACHINE_ARN: args.state_machine.arn,
                },
                statements=[*args.state_machine.watch_map_runs(), _publish()],
                timeout_seconds=_TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )
        self.rule = minute_tick(
            self,
            self.function,
            args.dead_letter_queue,
            payload={},
            description=f"Counts the items that {args.pattern} has left",
        )
        self.publish({"function_name": self.function.function_name})


def _publish() -> Statement:
    return Statement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": metrics.NAMESPACE}},
        why_any_resource="metrics are no resources: the action has no resource-level permissions",
    )
