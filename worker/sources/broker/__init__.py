"""Source ``broker``: a queue of RabbitMQ (AMQP 0-9-1) or ActiveMQ (STOMP), handled once per idempotency key."""

from worker.sources.broker.consumer import run

__all__ = ["run"]
