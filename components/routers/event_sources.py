"""Buses that this program does not make: the account's default bus, and the bus of a partner."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.naming import MAX_BUS_NAME, check_name
from components.core.validation import Check, Range, check

__all__ = ["DefaultBus", "PartnerEventBus", "PartnerEventBusArgs"]


@dataclass(frozen=True, kw_only=True)
class DefaultBus:
    """The bus that every account has, and that AWS services send their events to.

    Rules may read it like any other bus; sources that start with ``aws.`` are AWS's own.
    """

    @property
    def name(self) -> str:
        return "default"

    @property
    def bus_name(self) -> str:
        return "default"


@dataclass(frozen=True, kw_only=True)
class PartnerEventBusArgs:
    """Arguments of `PartnerEventBus`.

    Attributes:
        event_source: as the partner made it for this account, e.g. ``aws.partner/example.com/acme/orders``. It waits
            for 14 days to be associated, then it is gone. **A change replaces the bus.**
        archive_days: how long events are kept for replay, 0 (no archive) to 3,650 days; default 7.
    """

    event_source: str
    archive_days: int = 7


_SOURCE = re.compile(r"aws\.partner(/[\w.-]+){2,}")

_RULES = (
    Range("archive_days", 0, 3_650, "days"),
    Check(
        ("event_source",),
        lambda args: not _SOURCE.fullmatch(args.event_source) or len(args.event_source) > 256,
        lambda args: (
            f"event_source is {args.event_source!r}; allowed is the name of a partner event source, e.g. "
            "'aws.partner/example.com/acme/orders' (`aws events list-event-sources`)"
        ),
    ),
)


class PartnerEventBus(Component):
    """The bus of a partner event source: making it is what accepts the source. Rules read it like any other bus.

    Attributes:
        arn, bus_name: of the bus.
        bus: the raw bus.
    """

    def __init__(self, name: str, args: PartnerEventBusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_BUS_NAME)
        check(f"PartnerEventBus {name!r}", args, _RULES)
        # EventBridge requires the bus to have the source's own name.
        self.bus = aws.cloudwatch.EventBus(
            name, name=args.event_source, event_source_name=args.event_source, opts=self.child()
        )
        self.arn: pulumi.Output[str] = self.bus.arn
        self.bus_name: pulumi.Output[str] = self.bus.name
        if args.archive_days:
            aws.cloudwatch.EventArchive(
                f"{name}-archive",
                event_source_arn=self.arn,
                retention_days=args.archive_days,
                description=f"Every event of {args.event_source}, for replay",
                opts=self.child(),
            )
        self.publish({"arn": self.arn, "bus_name": self.bus_name})
