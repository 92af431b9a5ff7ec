"""GlobalEndpoint: one address for a bus in two regions. When the first is unhealthy, events go to the second.

Failover needs producers with the endpoint's id and an SDK that signs with SigV4A (boto3 with the CRT extra), and the
consumers of both regions: rules and what they deliver to must exist in the second region, too (`SecondRegion`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, pass_role, policy_document
from components.core.naming import MAX_GLOBAL_ENDPOINT_NAME, check_name
from components.core.place import place_of
from components.core.role import create_service_role
from components.core.validation import Check, Range, check
from components.routers.event_bus import EventBus
from components.routers.targets import EVENTS_SERVICE

__all__ = ["GlobalEndpoint", "GlobalEndpointArgs"]

LATENCY_METRIC = "IngestionToInvocationStartLatency"
"""EventBridge user guide, "Making applications Regional-fault tolerant with global endpoints"."""


@dataclass(frozen=True, kw_only=True)
class GlobalEndpointArgs:
    """Arguments of `GlobalEndpoint`.

    Attributes:
        primary, secondary: buses with the same `bus_name`, one in each region. **A change replaces the endpoint.**
        secondary_region: where `secondary` is and events go when the first region is unhealthy.
        replication: whether every event is also sent to the second region, so that nothing that was accepted before
            a failover waits for its end, and the first region is seen to recover; billed per event. The consumers there
            handle each event as well. Default True, as AWS recommends.
        latency_milliseconds: average time from ingestion to the first delivery that counts as unhealthy, 1,000 to
            900,000; default 30,000.
        evaluation_minutes: minutes in a row that it must last, 1 to 60; default 5.
        quiet_is_unhealthy: whether minutes without any delivery count as unhealthy, too; default True: a region that is
            gone looks like that. False for a bus that is quiet for as long as that by itself.
    """

    primary: EventBus
    secondary: EventBus
    secondary_region: str
    replication: bool = True
    latency_milliseconds: int = 30_000
    evaluation_minutes: int = 5
    quiet_is_unhealthy: bool = True


_RULES = (
    Check(
        ("primary", "secondary"),
        lambda args: args.primary.given_name is None or args.primary.given_name != args.secondary.given_name,
        lambda args: (
            f"bus_name of primary is {args.primary.given_name!r}, of secondary {args.secondary.given_name!r}; "
            "EventBridge wants the same name for both, so give both one"
        ),
    ),
    Check(
        ("secondary_region",),
        lambda args: not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", args.secondary_region),
        lambda args: f"secondary_region is {args.secondary_region!r}; allowed is a region, e.g. 'us-west-2'",
    ),
    Range("latency_milliseconds", 1_000, 900_000, "milliseconds"),
    Range("evaluation_minutes", 1, 60, "minutes"),
)


class GlobalEndpoint(Component):
    """The endpoint of two buses, the health check that chooses between them, and the role that replicates.

    Attributes:
        endpoint_id: what producers put events with (``EndpointId``).
        primary_arn, secondary_arn: of the buses.
        endpoint: the raw endpoint.
        region: of the first bus.
    """

    def __init__(self, name: str, args: GlobalEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_GLOBAL_ENDPOINT_NAME)
        check(f"GlobalEndpoint {name!r}", args, _RULES)
        self.region: pulumi.Output[str] = place_of(self).region
        self.primary_arn: pulumi.Output[str] = args.primary.arn
        self.secondary_arn: pulumi.Output[str] = args.secondary.arn
        self.endpoint = self._create_endpoint(args, self._create_health_check(args))
        self.endpoint_id: pulumi.Output[str] = self.endpoint.endpoint_url.apply(_endpoint_id)
        self.publish({"endpoint_id": self.endpoint_id})

    def put_events(self) -> list[Statement]:
        """What a producer's role needs: the endpoint and both buses."""
        return [
            Statement(actions=["events:PutEvents"], resources=[self.endpoint.arn, self.primary_arn, self.secondary_arn])
        ]

    def _create_health_check(self, args: GlobalEndpointArgs) -> aws.route53.HealthCheck:
        alarm = aws.cloudwatch.MetricAlarm(
            f"{self.name}-latency",
            alarm_description=(
                f"Not a fault of the program: EventBridge delivers late in this region, and events of "
                f"{args.primary.given_name} go to {args.secondary_region} until it recovers."
            ),
            namespace="AWS/Events",
            metric_name=LATENCY_METRIC,
            statistic="Average",
            period=60,
            evaluation_periods=args.evaluation_minutes,
            threshold=args.latency_milliseconds,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="breaching" if args.quiet_is_unhealthy else "missing",
            opts=self.child(),
        )
        return aws.route53.HealthCheck(
            f"{self.name}-health",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=alarm.name,
            cloudwatch_alarm_region=self.region,
            insufficient_data_health_status="Unhealthy" if args.quiet_is_unhealthy else "LastKnownStatus",
            # Route 53 keeps a copy of what the alarm watches, and takes a new one only when it is told to.
            triggers={
                "latency_milliseconds": str(args.latency_milliseconds),
                "evaluation_minutes": str(args.evaluation_minutes),
                "quiet_is_unhealthy": str(args.quiet_is_unhealthy),
            },
            opts=self.child(),
        )

    def _create_endpoint(
        self, args: GlobalEndpointArgs, health: aws.route53.HealthCheck
    ) -> aws.cloudwatch.EventEndpoint:
        # Without replication, too: UpdateEndpoint refuses to take a role away (an empty ARN), and turning replication
        # off would fail.
        role, policy = self._create_role()
        return aws.cloudwatch.EventEndpoint(
            self.name,
            event_buses=[
                aws.cloudwatch.EventEndpointEventBusArgs(event_bus_arn=arn)
                for arn in (self.primary_arn, self.secondary_arn)
            ],
            replication_config=aws.cloudwatch.EventEndpointReplicationConfigArgs(
                state="ENABLED" if args.replication else "DISABLED"
            ),
            role_arn=role.arn,
            routing_config=aws.cloudwatch.EventEndpointRoutingConfigArgs(
                failover_config=aws.cloudwatch.EventEndpointRoutingConfigFailoverConfigArgs(
                    primary=aws.cloudwatch.EventEndpointRoutingConfigFailoverConfigPrimaryArgs(health_check=health.arn),
                    secondary=aws.cloudwatch.EventEndpointRoutingConfigFailoverConfigSecondaryArgs(
                        route=args.secondary_region
                    ),
                )
            ),
            opts=self.child(depends_on=[policy]),
        )

    def _create_role(self) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        """EventBridge replicates with rules of its own, which it makes under this role and passes it on to."""
        role, _ = create_service_role(
            self,
            f"{self.name}-replication-role",
            service=EVENTS_SERVICE,
            statements=[],
            description=f"Copies events of {self.name} between its two regions",
        )
        buses = [self.primary_arn, self.secondary_arn]
        managed = [
            arn.apply(lambda bus: f"{bus.replace(':event-bus/', ':rule/')}/GlobalEndpointManagedRule-*")
            for arn in buses
        ]
        statements = [
            Statement(actions=["events:PutEvents"], resources=buses),
            Statement(
                actions=["events:PutRule", "events:PutTargets", "events:DeleteRule", "events:RemoveTargets"],
                resources=managed,
            ),
            pass_role([role.arn], EVENTS_SERVICE),
        ]
        policy = aws.iam.RolePolicy(
            f"{self.name}-replication-role-policy",
            role=role.name,
            policy=policy_document(statements),
            opts=self.child(),
        )
        return role, policy


def _endpoint_id(url: str) -> str:
    """``https://abcde.veo.endpoint.events.amazonaws.com`` → ``abcde.veo``, as PutEvents takes it."""
    return url.removeprefix("https://").removesuffix(".endpoint.events.amazonaws.com")
