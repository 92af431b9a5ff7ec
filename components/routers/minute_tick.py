"""A call of a function each minute, by a rule of the default bus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws

from components.compute.function import Function
from components.core.base import Component
from components.routers.targets import EVENTS_SERVICE
from components.stores.queue import DeadLetterQueue

__all__ = ["minute_tick"]


def minute_tick(
    owner: Component,
    function: Function,
    dead_letter_queue: DeadLetterQueue,
    *,
    payload: Mapping[str, Any],
    description: str,
) -> aws.cloudwatch.EventRule:
    """Create the rule ``<owner>-tick``, its target and its permission as children of `owner`.

    Args:
        owner: the component whose function it is.
        function: is called asynchronously.
        dead_letter_queue: where a tick goes that EventBridge could not deliver. None is repeated: the next one
            does what it would have done.
        payload: the function's event.
        description: of the rule.
    """
    name = f"{owner.name}-tick"
    rule = aws.cloudwatch.EventRule(
        name, schedule_expression="rate(1 minute)", description=description, opts=owner.child()
    )
    dead_letter_queue.accept_from(EVENTS_SERVICE, rule.arn)
    permission = aws.lambda_.Permission(
        f"{name}-permission",
        action="lambda:InvokeFunction",
        function=function.arn,
        principal=EVENTS_SERVICE,
        source_arn=rule.arn,
        opts=owner.child(),
    )
    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        arn=function.arn,
        input=json.dumps(payload),
        retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
            maximum_retry_attempts=0, maximum_event_age_in_seconds=60
        ),
        dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=dead_letter_queue.arn),
        opts=owner.child(depends_on=[permission, dead_letter_queue.policy]),
    )
    return rule
