"""Settings of the pattern `fan-out`: bus → rule → topic → queues → Fargate workers, each with its own filter."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from components.config.base import PatternSettings, Settings
from components.config.events import EventPattern
from components.config.queue_worker import DeliverySettings, QueuedWorkSettings
from contracts import filter_policy
from contracts.filter_policy import FilterScope

__all__ = ["FanOutSettings", "FanOutWorkerSettings", "FilterSettings", "TopicSettings"]

WorkerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=16)]


class FilterSettings(Settings):
    """Which messages of the topic a worker gets."""

    body: dict[str, Any] | None = Field(
        None,
        description="fields of the event and their values, e.g. {detail: {data: {region: [AU]}}}; all operators of an "
        "event pattern; default: not looked at",
    )
    attributes: dict[str, Any] | None = Field(
        None, description="message attributes and their values, for producers that set them; default: not looked at"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.body is None) == (self.attributes is None):
            raise ValueError("a filter has either body or attributes: SNS looks at one of the two")
        return self

    @field_validator("body", "attributes")
    @classmethod
    def _valid(cls, value: dict[str, Any] | None, info: Any) -> dict[str, Any] | None:
        scope = FilterScope.BODY if info.field_name == "body" else FilterScope.ATTRIBUTES
        if value is not None and (problems := filter_policy.problems(value, scope)):
            raise PydanticCustomError("filter_policy", "not a filter policy", {"problems": problems})
        return value


class TopicSettings(Settings):
    """The topic between the rule and the queues."""

    fifo: bool = Field(
        False,
        description="true or false; true needs producers that publish to the topic themselves (no events), and queues "
        "with fifo: true for order; a change replaces the topic; default false",
    )
    content_based_deduplication: bool = Field(
        False, description="true or false, with fifo: equal bodies within 5 minutes are one message; default false"
    )
    high_throughput: bool = Field(
        False, description="true or false, with fifo: quotas per message group; default false"
    )

    @model_validator(mode="after")
    def _fifo_only(self) -> Self:
        for name in ("content_based_deduplication", "high_throughput"):
            if getattr(self, name) and not self.fifo:
                raise ValueError(f"{name} needs fifo: true; a standard topic has no such thing")
        return self


class FanOutWorkerSettings(QueuedWorkSettings):
    """One of the workers, with a queue and a service of its own."""

    filter: FilterSettings | None = Field(None, description="which messages it gets; default all")


class FanOutSettings(PatternSettings):
    """The same events for several workers: each has its own queue, its own filter and its own speed."""

    pattern: Literal["fan-out"] = Field(..., description="fan-out")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    events: EventPattern | None = Field(
        None,
        description="an EventBridge event pattern; default: none, producers publish to the topic themselves",
    )
    via: Literal["topic", "bus"] = Field(
        "topic",
        description="topic (SNS copies, each worker has its filter) or bus (the rule delivers to every queue, without "
        "filters); default topic",
    )
    topic: TopicSettings = Field(default_factory=TopicSettings, description="with via: topic; default a standard topic")
    workers: dict[WorkerName, FanOutWorkerSettings] = Field(
        ..., min_length=1, description="a map of names (up to 16 lower-case letters, digits, hyphens) to workers"
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries; default 24 hours"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.via == "bus":
            if self.events is None:
                raise ValueError("via: bus needs events: without a topic there is nothing else to fan out")
            if filtered := sorted(name for name, worker in self.workers.items() if worker.filter):
                raise ValueError(f"workers {', '.join(filtered)} have a filter, which needs via: topic")
            return self
        if self.topic.fifo and self.events is not None:
            raise ValueError(
                "topic.fifo with events: EventBridge cannot publish to a FIFO topic; leave events out and publish to "
                "the topic, or use via: bus"
            )
        if not self.topic.fifo and (fifo := sorted(name for name, worker in self.workers.items() if worker.queue.fifo)):
            raise ValueError(f"workers {', '.join(fifo)} have queue.fifo, which needs topic.fifo: true")
        return self
