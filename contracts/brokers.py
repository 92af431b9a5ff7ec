"""Amazon MQ's engines: which versions, instance types and deployments exist. The settings and the component agree here.

From the Amazon MQ developer guide: "Managing engine versions", "Broker instance types", "Deployment options". The
service refuses what is not here late, in the middle of a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "ENGINES",
    "METRICS_NAMESPACE",
    "VIRTUAL_HOST",
    "BrokerEngine",
    "EngineFacts",
    "depth_dimensions",
    "problems",
]

METRICS_NAMESPACE = "AWS/AmazonMQ"
VIRTUAL_HOST = "/"
"""Of RabbitMQ; the worker uses the default one."""


class BrokerEngine(StrEnum):
    """Which broker Amazon MQ runs."""

    RABBITMQ = "rabbitmq"
    ACTIVEMQ = "activemq"


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What Amazon MQ offers for one engine.

    Attributes:
        aws_name: as the API writes it.
        instance_types: by version, newest version last; small instance types first.
        default_instance_type: the smallest that Amazon MQ recommends for production.
        multi_az_mode: its deployment mode over several zones.
        scheme: of the endpoints that the worker uses.
        port: where they listen, with TLS.
        depth_metric: of CloudWatch: messages of a queue that are not acknowledged.
    """

    aws_name: str
    instance_types: Mapping[str, tuple[str, ...]]
    default_instance_type: str
    multi_az_mode: str
    scheme: str
    port: int
    depth_metric: str

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self.instance_types)

    @property
    def default_version(self) -> str:
        return self.versions[-1]


_M5 = tuple(f"mq.m5.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge"))
_M7G = tuple(
    f"mq.m7g.{size}" for size in ("medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
)

ENGINES: Final[Mapping[BrokerEngine, EngineFacts]] = {
    BrokerEngine.RABBITMQ: EngineFacts(
        aws_name="RabbitMQ",
        instance_types={"3.13": (*_M7G, *_M5), "4.2": _M7G},
        default_instance_type="mq.m7g.large",
        multi_az_mode="CLUSTER_MULTI_AZ",
        scheme="amqps",
        port=5671,
        depth_metric="MessageCount",
    ),
    BrokerEngine.ACTIVEMQ: EngineFacts(
        aws_name="ActiveMQ",
        instance_types=dict.fromkeys(("5.18", "5.19"), ("mq.t3.micro", *_M5)),
        default_instance_type="mq.m5.large",
        multi_az_mode="ACTIVE_STANDBY_MULTI_AZ",
        scheme="stomp+ssl",
        port=61614,
        depth_metric="QueueSize",
    ),
}


def depth_dimensions(engine: BrokerEngine, broker: str, instances: int, queue: str) -> list[dict[str, str]]:
    """Of the metrics that tell a queue's depth: one for RabbitMQ; for ActiveMQ one of each instance.

    Of an active and a standby instance the active one's counts (developer guide, "Available CloudWatch metrics").
    """
    if engine is BrokerEngine.RABBITMQ:
        return [{"Broker": broker, "Queue": queue, "VirtualHost": VIRTUAL_HOST}]
    return [{"Broker": f"{broker}-{number}", "Queue": queue} for number in range(1, instances + 1)]


def problems(engine: BrokerEngine, version: str | None, instance_type: str | None) -> Iterator[tuple[str, str]]:
    """What Amazon MQ would refuse, as (field, sentence); None is the default."""
    facts = ENGINES[engine]
    chosen = version or facts.default_version
    if chosen not in facts.instance_types:
        hint = "; patches are chosen by Amazon MQ" if chosen.rpartition(".")[0] in facts.instance_types else ""
        yield "engine_version", f"is {chosen!r}; allowed for {engine}: {', '.join(facts.versions)}{hint}"
        return
    offered = facts.instance_types[chosen]
    if (instance := instance_type or facts.default_instance_type) not in offered:
        yield "instance_type", f"is {instance!r}; allowed for {engine} {chosen}: {', '.join(offered)}"
