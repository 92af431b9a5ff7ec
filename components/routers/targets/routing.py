"""Targets that pass events on: another bus, and an API behind an API destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi_aws as aws

from components.core.iam import Statement
from components.routers.api_destination import ApiDestination
from components.routers.targets.base import Addressable, Binding, RetryPolicy, RuleSide, refuse
from components.routers.targets.input import TargetInput

__all__ = ["ApiDestinationTarget", "EventBusTarget"]


@dataclass(frozen=True, kw_only=True)
class EventBusTarget:
    """Another bus, in this account and region or in others. The event stays as it is.

    A bus of another account must admit this one (`EventBusArgs.publisher_accounts` there). Rules of the other bus see
    the event with its first account and region; an event passes at most one region and does not go on from there.

    Attributes:
        bus: a bus of this program, or `Existing`.
        retry: default None, the rule's.
    """

    bus: Addressable
    retry: RetryPolicy | None = None

    @property
    def name(self) -> str:
        return self.bus.name

    @property
    def input(self) -> None:
        """EventBridge transforms nothing on the way to a bus."""
        return

    def bind(self, rule: RuleSide) -> Binding:
        return Binding(arn=self.bus.arn, statements=[Statement(actions=["events:PutEvents"], resources=[self.bus.arn])])


@dataclass(frozen=True, kw_only=True)
class ApiDestinationTarget:
    """An HTTP API. It must answer within five seconds; 429 and 5xx are retried, other errors are dead-lettered.

    Attributes:
        destination: of this library.
        path_values: one for each ``*`` of the destination's URL; a fixed text or a path into the event.
        headers, query: name → fixed text or path into the event; default none.
        input: the request's body; default None, the event as it is.
        retry: default None, the rule's.
    """

    destination: ApiDestination
    path_values: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        wanted, given = self.destination.path_wildcards, len(self.path_values)
        if wanted is not None and wanted != given:
            refuse(
                self,
                self.name,
                [f"path_values has {given} entries, but the destination's URL has {wanted} asterisks"],
            )

    @property
    def name(self) -> str:
        return self.destination.name

    def bind(self, rule: RuleSide) -> Binding:
        parameters = None
        if self.path_values or self.headers or self.query:
            parameters = aws.cloudwatch.EventTargetHttpTargetArgs(
                path_parameter_values=list(self.path_values) or None,
                header_parameters=dict(self.headers) or None,
                query_string_parameters=dict(self.query) or None,
            )
        return Binding(arn=self.destination.arn, statements=self.destination.invoke(), http_target=parameters)
