"""EventBus: a custom EventBridge bus with its archive and its resource policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.naming import MAX_BUS_NAME, check_name
from components.core.place import place_of
from components.core.validation import Check, Range, check

__all__ = ["EventBus", "EventBusArgs"]


@dataclass(frozen=True, kw_only=True)
class EventBusArgs:
    """Arguments of `EventBus`.

    Attributes:
        bus_name: in AWS; 1 to 256 letters, digits and ``_.-``, not ``default``; default None, made up. Two buses of a
            global endpoint need one name. **A change replaces the bus.**
        archive_days: how long every event is kept for replay, 1 to 3,650 days; default 7; 0 turns the archive off
            (it is billed per GB). An archive keeps what no rule matched, too.
        publisher_accounts: other accounts (12 digits) that may put events; default none.
        description: shown in the console.
    """

    bus_name: str | None = None
    archive_days: int = 7
    publisher_accounts: Sequence[str] = ()
    description: str | None = None


_RULES = (
    Check(
        ("bus_name",),
        lambda args: (
            args.bus_name is not None
            and (not re.fullmatch(r"[.\-_A-Za-z0-9]{1,256}", args.bus_name) or args.bus_name == "default")
        ),
        lambda args: f"bus_name is {args.bus_name!r}; allowed are 1 to 256 letters, digits and _.-, not 'default'",
    ),
    Range("archive_days", 0, 3_650, "days"),
    Check(
        ("publisher_accounts",),
        lambda args: any(not (account.isdigit() and len(account) == 12) for account in args.publisher_accounts),
        lambda args: f"publisher_accounts are {list(args.publisher_accounts)}; each is an account id of 12 digits",
    ),
)


class EventBus(Component):
    """A bus that producers write to and rules read from: neither knows the other.

    Attributes:
        arn, bus_name: of the bus.
        given_name: the `bus_name` of the arguments.
        bus: the raw bus.
    """

    def __init__(self, name: str, args: EventBusArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or EventBusArgs()
        check_name(name, longest=MAX_BUS_NAME)
        check(f"EventBus {name!r}", args, _RULES)
        self.given_name = args.bus_name
        self.bus = aws.cloudwatch.EventBus(name, name=args.bus_name, description=args.description, opts=self.child())
        self.arn: pulumi.Output[str] = self.bus.arn
        self.bus_name: pulumi.Output[str] = self.bus.name
        if args.archive_days:
            self._create_archive(args.archive_days)
        if args.publisher_accounts:
            self._create_policy(args.publisher_accounts)
        self.publish({"arn": self.arn, "bus_name": self.bus_name})

    def put_events(self) -> list[Statement]:
        """What a producer's role needs."""
        return [Statement(actions=["events:PutEvents"], resources=[self.arn])]

    def _create_archive(self, days: int) -> None:
        aws.cloudwatch.EventArchive(
            f"{self.name}-archive",
            event_source_arn=self.arn,
            retention_days=days,
            description=f"Every event of {self.name}, for replay",
            opts=self.child(),
        )

    def _create_policy(self, accounts: Sequence[str]) -> None:
        partition = place_of(self).partition
        principals = [pulumi.Output.concat("arn:", partition, ":iam::", account, ":root") for account in accounts]
        statement = Statement(
            sid="OtherAccountsPublish",
            principals={"AWS": principals},
            actions=["events:PutEvents"],
            resources=[self.arn],
        )
        aws.cloudwatch.EventBusPolicy(
            f"{self.name}-policy",
            event_bus_name=self.bus_name,
            policy=policy_document([statement]),
            opts=self.child(),
        )
