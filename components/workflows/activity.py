"""Activity: a queue of a state machine's tasks that workers of any kind ask for."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement

__all__ = ["Activity", "ActivityArgs"]


@dataclass(frozen=True, kw_only=True)
class ActivityArgs:
    """Arguments of `Activity`.

    Attributes:
        activity_name: 1 to 80 characters, unique in account and region, for workers that know it by name; default None:
            the provider makes one from the component's name. A change replaces the activity.
    """

    activity_name: pulumi.Input[str] | None = None


class Activity(Component):
    """A Step Functions activity. **A change of its name replaces it, and tasks that wait in it time out.**

    Attributes:
        arn, activity_name: of the activity.
        activity: the raw resource.
    """

    def __init__(self, name: str, args: ActivityArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or ActivityArgs()
        self.activity = aws.sfn.Activity(name, name=args.activity_name, opts=self.child())
        self.arn: pulumi.Output[str] = self.activity.arn
        self.activity_name: pulumi.Output[str] = self.activity.name
        self.publish({"arn": self.arn, "activity_name": self.activity_name})

    def work(self) -> list[Statement]:
        """What a worker needs that takes tasks and reports on them.

        The reference of IAM actions has no resource for the reports; Step Functions checks them on the activity.
        """
        return [
            Statement(
                actions=[
                    "states:GetActivityTask",
                    "states:SendTaskFailure",
                    "states:SendTaskHeartbeat",
                    "states:SendTaskSuccess",
                ],
                resources=[self.arn],
            )
        ]
