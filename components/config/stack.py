"""All settings of one stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from components.config.activity_pool import ActivityPoolSettings
from components.config.airflow import AirflowSettings
from components.config.api import ApiSettings
from components.config.api_push import ApiPushSettings
from components.config.base import PatternSettings, Settings
from components.config.broker_worker import BrokerWorkerSettings
from components.config.brokers import BrokerSettings
from components.config.fan_out import FanOutSettings
from components.config.job import JobSettings
from components.config.kafka import KafkaClusterSettings
from components.config.kafka_worker import KafkaWorkerSettings
from components.config.object_processing import ObjectProcessingSettings
from components.config.queue_worker import QueueWorkerSettings
from components.config.scheduled_task import ScheduledTaskSettings
from components.config.shared import (
    AlarmSettings,
    BusSettings,
    ClusterSettings,
    DashboardSettings,
    EncryptionSettings,
    GlobalEndpointSettings,
    NetworkSettings,
)
from components.config.stream_worker import StreamWorkerSettings
from components.config.streams import StreamSettings
from components.config.workflow import WorkflowSettings

__all__ = ["PATTERNS", "StackSettings"]

PATTERNS: Mapping[str, type[PatternSettings]] = {
    "queue-worker": QueueWorkerSettings,
    "fan-out": FanOutSettings,
    "stream-worker": StreamWorkerSettings,
    "object-processing": ObjectProcessingSettings,
    "scheduled-task": ScheduledTaskSettings,
    "kafka-worker": KafkaWorkerSettings,
    "broker-worker": BrokerWorkerSettings,
    "api": ApiSettings,
    "api-push": ApiPushSettings,
    "workflow": WorkflowSettings,
    "job": JobSettings,
    "airflow": AirflowSettings,
    "activity-pool": ActivityPoolSettings,
}
"""The patterns that a stack can name, by the value of ``pattern:``."""


class StackSettings(Settings):
    """What `Pulumi.<stack>.yaml` says under ``eda:``."""

    network: NetworkSettings = Field(default_factory=NetworkSettings, description="VPC, subnets, internet; default new")
    bus: BusSettings = Field(default_factory=BusSettings, description="the event bus; default with 7 days of archive")
    global_endpoint: GlobalEndpointSettings | None = Field(
        None, description="a second region with a bus of the same name, its rules and their workers; default none"
    )
    cluster: ClusterSettings = Field(default_factory=ClusterSettings, description="the ECS cluster")
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings, description="default SSE-SQS")
    alarms: AlarmSettings = Field(default_factory=AlarmSettings, description="who hears of alarms; default nobody")
    dashboard: DashboardSettings = Field(
        default_factory=DashboardSettings, description="CloudWatch dashboards; default one for the stack"
    )
    brokers: dict[str, BrokerSettings] = Field(
        default_factory=dict, description="a map of names to message brokers that several patterns use; default none"
    )
    kafka: dict[str, KafkaClusterSettings] = Field(
        default_factory=dict, description="a map of names to Kafka clusters that patterns use; default none"
    )
    streams: dict[str, StreamSettings] = Field(
        default_factory=dict, description="a map of names to Kinesis streams that several patterns read; default none"
    )
    patterns: dict[str, PatternSettings] = Field(
        default_factory=dict, description="a map of names (as `ops` uses them) to patterns"
    )

    @model_validator(mode="after")
    def _second_network(self) -> Self:
        two = self.global_endpoint
        if two and self.network.vpc_id and two.network is None:
            raise ValueError(
                f"global_endpoint.network is missing: {self.network.vpc_id} is in one region; name a VPC of "
                f"{two.secondary_region}, or `network: {{}}` for a new one"
            )
        return self
