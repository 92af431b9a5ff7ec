"""Settings of a message broker on Amazon MQ: of one pattern, or shared by several (``eda:brokers``)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from components.config.base import Settings
from contracts.brokers import ENGINES, BrokerEngine, problems

__all__ = ["BrokerSettings"]

_VERSIONS = "; ".join(f"{engine}: {' or '.join(facts.versions)}" for engine, facts in ENGINES.items())


class BrokerSettings(Settings):
    """A message broker (Amazon MQ), billed by the hour whether it is used or not."""

    engine: BrokerEngine = Field(
        BrokerEngine.RABBITMQ,
        description="rabbitmq or activemq; a change replaces the broker, and its messages are lost; default rabbitmq",
    )
    version: str | None = Field(
        None,
        description=f"a text, in quotes ({_VERSIONS}); a higher major version needs a new broker; default the newest",
    )
    instance_type: str | None = Field(
        None,
        description="an instance type: mq.m7g.medium (to try RabbitMQ, about 90 USD a month) to mq.m7g.16xlarge; "
        "mq.t3.micro (to try ActiveMQ, about 20 USD a month), mq.m5.large to mq.m5.4xlarge; default mq.m7g.large for "
        "rabbitmq, mq.m5.large for activemq",
    )
    multi_az: bool = Field(
        False,
        description="true or false; true runs three nodes (rabbitmq) or an active and a standby broker (activemq), at "
        "three times or twice the price; a change replaces the broker; default false",
    )

    @model_validator(mode="after")
    def _offered(self) -> Self:
        for field, text in problems(self.engine, self.version, self.instance_type):
            raise ValueError(f"{'version' if field == 'engine_version' else field} {text}")
        return self
