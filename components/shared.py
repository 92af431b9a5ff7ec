"""Shared: what all patterns of a stack stand on: network, cluster, bus, key, alarm topic."""

from __future__ import annotations

import pulumi

from components.compute.cluster import Cluster, ClusterArgs
from components.config import StackSettings
from components.config.brokers import BrokerSettings
from components.config.kafka import KafkaClusterSettings
from components.config.streams import StreamSettings
from components.core.base import Component
from components.encryption import EncryptionKey
from components.network import DEFAULT_ENDPOINT_SERVICES, Network, NetworkArgs
from components.observability.alarm_topic import AlarmTopic, AlarmTopicArgs
from components.observability.broker_alarms import BrokerAlarms, BrokerAlarmsArgs
from components.observability.kafka_alarms import KafkaClusterAlarms, KafkaClusterAlarmsArgs
from components.observability.stream_alarms import StreamAlarms, StreamAlarmsArgs
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.schemas import EventSchemas, EventSchemasArgs
from components.stores.broker import Broker, BrokerArgs
from components.streams.kafka import KafkaCluster, KafkaClusterArgs, KafkaKind, KafkaTopicArgs
from components.streams.kinesis import KinesisStream, KinesisStreamArgs, StreamMode
from event_schemas import Catalogue

__all__ = ["Shared", "broker_args", "endpoint_services", "stream_args"]


def endpoint_services(settings: StackSettings) -> tuple[str, ...]:
    """What any pattern of the stack needs where there is no way to the internet."""
    needed = {service for pattern in settings.patterns.values() for service in pattern.endpoint_services}
    return (*DEFAULT_ENDPOINT_SERVICES, *sorted(needed - set(DEFAULT_ENDPOINT_SERVICES)))


def broker_args(settings: BrokerSettings, network: Network, encryption_key: EncryptionKey | None) -> BrokerArgs:
    """Of a shared broker, or of one pattern's own."""
    return BrokerArgs(
        network=network,
        engine=settings.engine,
        engine_version=settings.version,
        instance_type=settings.instance_type,
        multi_az=settings.multi_az,
        encryption_key=encryption_key,
    )


def stream_args(settings: StreamSettings, encryption_key: EncryptionKey | None) -> KinesisStreamArgs:
    """What the settings of a stream ask for, whether several patterns read it or one owns it."""
    return KinesisStreamArgs(
        mode=StreamMode[settings.mode.name],
        shard_count=settings.shard_count,
        retention_hours=settings.retention_hours,
        encryption_key=encryption_key,
    )


def _bus_name(settings: StackSettings) -> str | None:
    """Of both buses of a global endpoint; None lets the provider make one up."""
    two = settings.global_endpoint
    if two is None:
        return None
    return two.bus_name or f"{pulumi.get_project()}-{pulumi.get_stack()}"


class Shared(Component):
    """One of each for the whole stack.

    Attributes:
        network, cluster, bus: always there.
        pattern_opts: what the patterns beside it are created with, as it was: None at the top of the program.
        schemas: of the events; None when ``bus.schema_registry`` is false.
        encryption_key: None unless ``encryption.customer_managed_key``.
        alarm_topic: None unless ``alarms.topic``.
        brokers: those that several patterns use, by name.
        kafka: Kafka clusters with their topics, by name.
        streams: those that several patterns read, by name.
        alarms_enabled: whether patterns create alarms.
    """

    def __init__(
        self,
        name: str,
        settings: StackSettings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.pattern_opts = opts
        stack = pulumi.get_stack()
        network = settings.network
        self.network = Network(
            "network",
            NetworkArgs(
                nat=network.nat,
                availability_zones=network.availability_zones,
                nat_gateways=network.nat_gateways,
                cidr=network.cidr,
                endpoint_services=endpoint_services(settings),
                vpc_id=network.vpc_id,
                subnet_ids=network.subnet_ids,
                assign_public_ip=network.assign_public_ip,
            ),
            self.child(),
        )
        self.cluster = Cluster(
            "cluster", ClusterArgs(container_insights=settings.cluster.container_insights), self.child()
        )
        self.bus = EventBus(
            "events",
            EventBusArgs(
                bus_name=_bus_name(settings),
                archive_days=settings.bus.archive_days,
                publisher_accounts=settings.bus.publisher_accounts,
                description=f"Events of the stack {stack}",
            ),
            self.child(),
        )
        self.schemas = self._publish_schemas(stack) if settings.bus.schema_registry else None
        customer_managed = settings.encryption.customer_managed_key
        self.encryption_key = EncryptionKey("encryption", opts=self.child()) if customer_managed else None
        self.alarms_enabled = settings.alarms.enabled
        self.alarm_topic = self._create_alarm_topic(settings) if settings.alarms.topic else None
        self.brokers = {name: self._create_broker(name, broker) for name, broker in settings.brokers.items()}
        self.kafka = {name: self._create_kafka(name, kafka) for name, kafka in settings.kafka.items()}
        self.streams = {name: self._create_stream(name, stream) for name, stream in settings.streams.items()}
        self.publish({"bus": self.bus.bus_name, "cluster": self.cluster.cluster_name})

    @property
    def alarm_topic_arn(self) -> pulumi.Output[str] | None:
        """Whom alarms notify; None, nobody."""
        return self.alarm_topic.arn if self.alarm_topic else None

    def _publish_schemas(self, stack: str) -> EventSchemas:
        schemas = Catalogue.read().schemas
        return EventSchemas(
            "schemas", EventSchemasArgs(schemas=schemas, description=f"Events of the stack {stack}"), self.child()
        )

    def _create_broker(self, name: str, settings: BrokerSettings) -> Broker:
        broker = Broker(f"{name}-broker", broker_args(settings, self.network, self.encryption_key), self.child())
        if self.alarms_enabled:
            BrokerAlarms(
                f"{name}-broker-alarms", BrokerAlarmsArgs(broker=broker, topic_arn=self.alarm_topic_arn), self.child()
            )
        return broker

    def _create_kafka(self, name: str, settings: KafkaClusterSettings) -> KafkaCluster:
        provisioned = settings.kind.value == KafkaKind.PROVISIONED.value
        cluster = KafkaCluster(
            f"{name}-kafka",
            KafkaClusterArgs(
                network=self.network,
                kind=KafkaKind(settings.kind.value),
                kafka_version=settings.kafka_version,
                instance_type=settings.instance_type,
                brokers=settings.brokers,
                storage_gib=settings.storage_gib,
                max_storage_gib=settings.max_storage_gib,
                configuration=settings.configuration,
                open_monitoring=settings.open_monitoring,
                encryption_key=self.encryption_key if provisioned else None,
            ),
            self.child(),
        )
        for topic, values in settings.topics.items():
            cluster.topic(topic, KafkaTopicArgs(**values.model_dump()))
        if self.alarms_enabled and provisioned:
            KafkaClusterAlarms(
                f"{name}-kafka-alarms",
                KafkaClusterAlarmsArgs(cluster=cluster, topic_arn=self.alarm_topic_arn),
                self.child(),
            )
        return cluster

    def _create_stream(self, name: str, settings: StreamSettings) -> KinesisStream:
        stream = KinesisStream(name, stream_args(settings, self.encryption_key), self.child())
        if self.alarms_enabled:
            StreamAlarms(
                f"{name}-stream-alarms", StreamAlarmsArgs(stream=stream, topic_arn=self.alarm_topic_arn), self.child()
            )
        return stream

    def _create_alarm_topic(self, settings: StackSettings) -> AlarmTopic:
        return AlarmTopic(
            "alarms",
            AlarmTopicArgs(emails=settings.alarms.emails, encryption_key=self.encryption_key),
            self.child(),
        )
