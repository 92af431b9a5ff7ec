"""Settings of a `broker-worker` → `BrokerWorker`."""

from __future__ import annotations

from components.config.broker_worker import BrokerWorkerSettings
from components.patterns.broker_worker import BrokerWorker, BrokerWorkerArgs
from components.patterns.from_settings.handler import warn_from_zero, worker_values
from components.shared import Shared, broker_args
from components.stores.broker import Broker, BrokerArgs

__all__ = ["build_broker_worker"]


def build_broker_worker(name: str, settings: BrokerWorkerSettings, shared: Shared) -> BrokerWorker:
    handler, queue, scaling = settings.handler, settings.queue, settings.scaling
    broker: Broker | BrokerArgs = (
        shared.brokers[settings.broker.name]
        if settings.broker.name is not None
        else broker_args(settings.broker, shared.network, shared.encryption_key)
    )
    warn_from_zero(name, scaling.min, scaling.acceptable_latency_seconds)
    return BrokerWorker(
        name,
        BrokerWorkerArgs(
            **worker_values(name, handler, settings.capacity, settings.idempotency, shared),
            broker=broker,
            queue=queue.name,
            ordered=queue.ordered,
            max_receive_count=queue.max_receive_count,
            prefetch=queue.prefetch,
            lease_seconds=queue.lease_seconds,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            processing_seconds=scaling.processing_seconds,
            headroom=scaling.headroom,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            encryption_key=shared.encryption_key,
            waiting_messages=settings.alarms.waiting_messages,
        ),
    )
