"""Settings that all patterns of a stack share: network, bus, cluster, encryption, alarms, dashboard."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from components.config.base import Settings
from components.network import NatMode

__all__ = [
    "AlarmSettings",
    "BusSettings",
    "ClusterSettings",
    "DashboardPer",
    "DashboardSettings",
    "EncryptionSettings",
    "GlobalEndpointSettings",
    "NetworkSettings",
]


AccountId = Annotated[str, Field(pattern=r"^\d{12}$")]


class NetworkSettings(Settings):
    """A new VPC, or an existing one when `vpc_id` is set."""

    nat: NatMode = Field(
        NatMode.NONE,
        description="none (tasks in public subnets with a public IP, no idle cost), gateway (private subnets behind a "
        "NAT gateway, about 33 USD a month each) or endpoints (private subnets without internet, about 7 USD a month "
        "for each interface endpoint and zone); default none",
    )
    availability_zones: int = Field(2, ge=2, le=3, description="a whole number from 2 to 3; default 2")
    nat_gateways: int = Field(
        1, ge=1, le=3, description="a whole number from 1 to availability_zones, with nat: gateway; default 1"
    )
    cidr: str = Field(
        "10.0.0.0/16",
        pattern=r"^\d+\.\d+\.\d+\.\d+/(1[6-9]|2[0-2])$",
        description="an IPv4 range from /16 to /22, e.g. 10.0.0.0/16; a change replaces the VPC; default 10.0.0.0/16",
    )
    vpc_id: str | None = Field(
        None, pattern=r"^vpc-[0-9a-f]+$", description="id of an existing VPC, e.g. vpc-0abc; default: a new VPC"
    )
    subnet_ids: tuple[str, ...] = Field((), description="subnets for the tasks, required with vpc_id; default none")
    assign_public_ip: bool = Field(
        False,
        description="true or false, with vpc_id: true when its subnets reach AWS only through an internet gateway; "
        "default false",
    )

    @model_validator(mode="after")
    def _existing(self) -> Self:
        if self.vpc_id and len(self.subnet_ids) < 1:
            raise ValueError("vpc_id needs subnet_ids: name the subnets that the tasks run in")
        if self.subnet_ids and not self.vpc_id:
            raise ValueError("subnet_ids needs vpc_id: name the VPC that they are in")
        if self.nat_gateways > self.availability_zones:
            raise ValueError(
                f"nat_gateways is {self.nat_gateways}, more than availability_zones ({self.availability_zones})"
            )
        return self


class BusSettings(Settings):
    """The stack's EventBridge bus."""

    archive_days: int = Field(
        7, ge=0, le=3650, description="a whole number from 0 (no archive) to 3,650 days, billed per GB; default 7"
    )
    publisher_accounts: tuple[AccountId, ...] = Field(
        (), description="account ids of 12 digits, in quotes, that may put events; default none"
    )
    schema_registry: bool = Field(
        False,
        description="true or false; true publishes contracts/schemas to an EventBridge schema registry (free), where "
        "other teams find them; the embedded AWS has none; default false",
    )


class GlobalEndpointSettings(Settings):
    """A second region to which producers fail over: the bus and everything with a rule on it exist there, too."""

    secondary_region: str = Field(
        ...,
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d$",
        description="a region, e.g. us-west-2; a change replaces what is in the second region",
    )
    bus_name: str | None = Field(
        None,
        pattern=r"^[.\-_A-Za-z0-9]{1,256}$",
        description="the name of both buses, 1 to 256 letters, digits and _ . -; a change replaces them; default "
        "`<project>-<stack>`",
    )
    replication: bool = Field(
        True,
        description="true or false; true copies every event to the second region, whose workers handle it, too; false "
        "handles it once, and after a failover you set the health check back by hand; default true",
    )
    latency_milliseconds: int = Field(
        30_000,
        ge=1_000,
        le=900_000,
        description="a whole number from 1,000 to 900,000: average delay of deliveries that counts as unhealthy; "
        "default 30,000",
    )
    evaluation_minutes: int = Field(
        5, ge=1, le=60, description="a whole number from 1 to 60 minutes that it must last; default 5"
    )
    quiet_is_unhealthy: bool = Field(
        True,
        description="true or false; false for a bus that is without events for minutes by itself; default true: a "
        "region that is gone is silent",
    )
    network: NetworkSettings | None = Field(
        None,
        description="of the second region; required when eda:network names an existing VPC; default as eda:network",
    )


class ClusterSettings(Settings):
    """The stack's ECS cluster."""

    container_insights: bool = Field(
        False, description="true or false; billed per metric, and no scaling policy here needs it; default false"
    )


class EncryptionSettings(Settings):
    """Who owns the key that queues and topics are encrypted with."""

    customer_managed_key: bool = Field(
        False,
        description="true or false; true creates a KMS key (1 USD a month and a fee per request), false uses SSE-SQS "
        "(free); default false",
    )


class AlarmSettings(Settings):
    """Who hears of alarms."""

    enabled: bool = Field(True, description="true or false; about 0.10 USD a month for each alarm; default true")
    topic: bool = Field(
        False, description="true or false; true creates an SNS topic that all alarms notify; default false"
    )
    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...] = Field(
        (), description="e-mail addresses that subscribe to the topic (each must confirm); needs topic: true"
    )

    @model_validator(mode="after")
    def _emails_need_a_topic(self) -> Self:
        if self.emails and not self.topic:
            raise ValueError("emails needs topic: true, or nothing is ever sent")
        return self


class DashboardPer(StrEnum):
    """How many CloudWatch dashboards a stack has."""

    STACK = "stack"
    PATTERN = "pattern"


class DashboardSettings(Settings):
    """The figures of `ops status` over time, in CloudWatch."""

    enabled: bool = Field(
        True,
        description="true or false; three dashboards of up to 50 metrics are free in an account, each other one costs "
        "3 USD a month; default true",
    )
    per: DashboardPer = Field(
        DashboardPer.STACK,
        description="stack (one dashboard with a section for each pattern) or pattern (one for each pattern, its "
        "workers included); default stack",
    )
