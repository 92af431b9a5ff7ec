"""Settings of the pattern `broker-worker`: queue of a message broker → Fargate workers."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from components.config.base import PatternSettings, Settings
from components.config.brokers import BrokerSettings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings, ScalingSettings
from contracts.scaling import ScalingPolicy

__all__ = [
    "BrokerChoiceSettings",
    "BrokerQueueSettings",
    "BrokerScalingSettings",
    "BrokerWorkerAlarmSettings",
    "BrokerWorkerSettings",
]


class BrokerChoiceSettings(BrokerSettings):
    """The pattern's own broker, or, with `name`, one of ``eda:brokers``, which several patterns use."""

    name: str | None = Field(
        None, description="a broker of eda:brokers, which has its own settings; default: a broker of this pattern"
    )

    @model_validator(mode="after")
    def _shared_brokers_have_their_own_settings(self) -> Self:
        extra = sorted(self.model_fields_set - {"name"})
        if self.name is not None and extra:
            raise ValueError(
                f"{', '.join(extra)}: set at eda:brokers, where the broker {self.name!r} is; remove it here"
            )
        return self


class BrokerQueueSettings(Settings):
    """The queue on the broker; the worker makes it, with its dead-letter queue `<name>.dlq`."""

    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.:-]{1,200}$",
        description="1 to 200 letters, digits and _ . : -; a change leaves the old queue with its messages; default "
        "the pattern's name",
    )
    ordered: bool = Field(
        False,
        description="true or false; true handles one message after the other, in one task at a time; the others stand "
        "by; default false",
    )
    max_receive_count: int = Field(
        5, ge=1, le=1000, description="a whole number from 1 to 1,000 attempts before the dead-letter queue; default 5"
    )
    prefetch: int | None = Field(
        None,
        ge=1,
        le=2000,
        description="a whole number from 1 to 2,000 messages that the broker hands to a task in advance; default twice "
        "handler.concurrency",
    )
    lease_seconds: int = Field(
        30,
        ge=2,
        le=3600,
        description="a whole number from 2 to 3,600 seconds that the events of a killed task wait for another; default "
        "30",
    )


class BrokerScalingSettings(ScalingSettings):
    """How many tasks run."""

    policy: Literal[ScalingPolicy.BACKLOG_PER_TASK] = Field(
        ScalingPolicy.BACKLOG_PER_TASK, description="backlog-per-task (tracks messages per running task)"
    )
    min: int = Field(
        1,
        ge=0,
        le=5000,
        description="a whole number from 0 to 5,000 tasks; the first task makes the queue, so one starts at the first "
        "deploy in any case; default 1",
    )


class BrokerWorkerAlarmSettings(Settings):
    """When to call somebody."""

    waiting_messages: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="a whole number from 1 to 10,000,000: messages in the queue that raise an alarm; default what "
        "scaling.max tasks handle in three times scaling.acceptable_latency_seconds",
    )


class BrokerWorkerSettings(PatternSettings):
    """Messages of a queue on RabbitMQ or ActiveMQ go to Fargate workers that scale with it."""

    pattern: Literal["broker-worker"] = Field(..., description="broker-worker")
    broker: BrokerChoiceSettings = Field(
        default_factory=BrokerChoiceSettings, description="the broker; default a RabbitMQ of its own"
    )
    queue: BrokerQueueSettings = Field(
        default_factory=BrokerQueueSettings, description="the queue on the broker; default named as the pattern"
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    scaling: BrokerScalingSettings = Field(
        default_factory=BrokerScalingSettings, description="how many tasks run; default 1 to 10"
    )
    capacity: CapacitySettings = Field(
        default_factory=CapacitySettings, description="on demand or Spot; default on demand"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how duplicates are dropped; default for 24 hours"
    )
    alarms: BrokerWorkerAlarmSettings = Field(
        default_factory=BrokerWorkerAlarmSettings, description="thresholds; default see there"
    )

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        if self.queue.ordered and self.handler.concurrency > 1:
            raise ValueError(
                f"queue.ordered with handler.concurrency {self.handler.concurrency}: two messages at a time have no "
                "order; set concurrency to 1"
            )
        return self

    def problems_in(self, stack: Any) -> list[str]:
        """What is wrong about the shared broker that it names."""
        name = self.broker.name
        if name is None or name in stack.brokers:
            return []
        known = ", ".join(sorted(stack.brokers)) or "there are none; add it to eda:brokers"
        return [f"broker.name: there is no broker {name!r}; allowed: {known}"]
