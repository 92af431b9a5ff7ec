"""What an HTTP API hands requests to: a class for each kind, each with a `bind()`.

Sources: API Gateway developer guide, "Create private integrations for HTTP APIs", "Integration subtype reference" and
"Transform API requests and responses for HTTP APIs".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi
import pulumi_aws as aws

from components.compute.service_registry import ServiceRegistry
from components.core.base import Component
from components.core.iam import Statement
from components.core.place import place_of
from components.core.validation import Check, Range, Rule, check
from components.network import Network
from components.routers.event_bus import EventBus
from components.stores.queue import Queue

__all__ = ["Bound", "BusIntegration", "Integration", "QueueIntegration", "ServiceIntegration"]

_ACCEPTED = "202"
_SUBTYPE_FORMAT = "1.0"
"""The only payload format version of integrations with AWS services."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What an integration tells the API.

    Attributes:
        route_key: method and path.
        settings: arguments of `aws.apigatewayv2.Integration`.
        statements: what the API's role must allow; none where it needs no role.
    """

    route_key: str
    settings: Mapping[str, Any]
    statements: Sequence[Statement] = ()


class Integration(Protocol):
    """Something that an HTTP API hands requests to."""

    def bind(self, owner: Component) -> Bound:
        """Create what it needs as children of `owner`; say how to hand over."""
        ...


_PATH = Check(
    ("path",),
    lambda args: not args.path.startswith("/"),
    lambda args: f"path is {args.path!r}; allowed is a path, e.g. '/events'",
)
_SERVICE_RULES: tuple[Rule, ...] = (Range("timeout_seconds", 0.05, 30, "seconds", whole=False), _PATH)
_QUEUE_RULES: tuple[Rule, ...] = (
    Check(("queue",), lambda args: args.queue.fifo, "queue is FIFO; allowed is a standard queue"),
    _PATH,
)
_BUS_RULES: tuple[Rule, ...] = (
    Check(
        ("source",),
        lambda args: not args.source or args.source.startswith(("aws.", "$")) or len(args.source) > 256,
        lambda args: f"source is {args.source!r}; allowed are 1 to 256 characters that do not start with 'aws.' or '$'",
    ),
    _PATH,
)


@dataclass(frozen=True, kw_only=True)
class ServiceIntegration:
    """Tasks, found through Cloud Map and reached through a VPC link of the API's own.

    Attributes:
        registry: which has the tasks.
        network: whose subnets the VPC link has its interfaces in.
        path: of the requests that are passed on, as they are; default ``/events``.
        timeout_seconds: 0.05 to 30, API Gateway's maximum; default 30. Longer work belongs behind a queue.
    """

    registry: ServiceRegistry
    network: Network
    path: str = "/events"
    timeout_seconds: float = 30

    def bind(self, owner: Component) -> Bound:
        check(f"ServiceIntegration of {owner.name!r}", self, _SERVICE_RULES)
        group = aws.ec2.SecurityGroup(
            f"{owner.name}-link",
            vpc_id=self.network.vpc_id,
            description="VPC link of an HTTP API: out to its tasks",
            opts=owner.child(),
        )
        self.registry.admit(owner, group.id)
        link = aws.apigatewayv2.VpcLink(
            f"{owner.name}-link",
            subnet_ids=self.network.task_subnet_ids,
            security_group_ids=[group.id],
            opts=owner.child(),
        )
        return Bound(
            route_key=f"POST {self.path}",
            settings={
                "integration_type": "HTTP_PROXY",
                "integration_method": "ANY",
                "integration_uri": self.registry.arn,
                "connection_type": "VPC_LINK",
                "connection_id": link.id,
                "payload_format_version": _SUBTYPE_FORMAT,
                "timeout_milliseconds": int(self.timeout_seconds * 1000),
            },
        )


@dataclass(frozen=True, kw_only=True)
class QueueIntegration:
    """An SQS queue. The body of the request, an event envelope, becomes the message; the answer is 202 with its id.

    API Gateway does not look at the body: what is no event of the contract is accepted, and ends in the queue's
    dead-letter queue with the reason.

    Attributes:
        queue: a standard queue: a message group cannot be taken from an event envelope (its keys have hyphens).
        path: default ``/events``.
    """

    queue: Queue
    path: str = "/events"

    def bind(self, owner: Component) -> Bound:
        check(f"QueueIntegration of {owner.name!r}", self, _QUEUE_RULES)
        return Bound(
            route_key=f"POST {self.path}",
            settings=_to_service(
                "SQS-SendMessage", {"QueueUrl": self.queue.url, "MessageBody": "$request.body"}, owner
            ),
            statements=self.queue.send(),
        )


@dataclass(frozen=True, kw_only=True)
class BusIntegration:
    """An event bus. The source is fixed, the type is in the path, the body is the event's ``detail``; 202 with its id.

    A caller can so never publish in another producer's name. EventBridge answers 200 also when it refuses the entry (a
    body that is no JSON object), so a caller looks at ``FailedEntryCount`` of the answer.

    Attributes:
        bus: which gets the events.
        source: of all of them, e.g. ``pizza.service.com``.
        path: default ``/events``; the type of the event follows: ``POST /events/OrderCreated``.
    """

    bus: EventBus
    source: str
    path: str = "/events"

    def bind(self, owner: Component) -> Bound:
        check(f"BusIntegration of {owner.name!r}", self, _BUS_RULES)
        parameters: dict[str, pulumi.Input[str]] = {
            "EventBusName": self.bus.arn,
            "Source": self.source,
            "DetailType": "$request.path.type",
            "Detail": "$request.body",
        }
        return Bound(
            route_key=f"POST {self.path.rstrip('/')}/{{type}}",
            settings=_to_service("EventBridge-PutEvents", parameters, owner),
            statements=self.bus.put_events(),
        )


def _to_service(subtype: str, parameters: Mapping[str, pulumi.Input[str]], owner: Component) -> dict[str, Any]:
    """An integration with an AWS service, whose 200 becomes 202: accepted, not done."""
    region = place_of(owner).region
    return {
        "integration_type": "AWS_PROXY",
        "integration_subtype": subtype,
        "payload_format_version": _SUBTYPE_FORMAT,
        "request_parameters": {**parameters, "Region": region},
        "response_parameters": [
            aws.apigatewayv2.IntegrationResponseParameterArgs(
                status_code="200", mappings={"overwrite:statuscode": _ACCEPTED}
            )
        ],
    }
