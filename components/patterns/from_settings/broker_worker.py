"""Settings of a `broker-worker` → `BrokerWorker`."""

from __future__ import annotations

from components.compute.task_definition import Architecture
from components.config.broker_worker import BrokerWorkerSettings
from components.patterns.broker_worker import BrokerWorker, BrokerWorkerArgs
from components.patterns.from_settings.handler import container_from, permissions_from
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
    return BrokerWorker(
        name,
        BrokerWorkerArgs(
            network=shared.network,
            cluster=shared.cluster,
            container=container_from(name, handler),
            broker=broker,
            queue=queue.name,
            ordered=queue.ordered,
            max_receive_count=queue.max_receive_count,
            prefetch=queue.prefetch,
            lease_seconds=queue.lease_seconds,
            function=handler.function,
            cpu=handler.cpu,
            memory_mib=handler.memory_mib,
            architecture=Architecture[handler.architecture.name],
            log_retention_days=handler.log_retention_days,
            log_level=handler.log_level,
            check_schemas=handler.check_schemas,
            concurrency=handler.concurrency,
            statements=permissions_from(handler),
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            processing_seconds=scaling.processing_seconds,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            spot=settings.capacity.spot,
            on_demand_base=settings.capacity.on_demand_base,
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            waiting_messages=settings.alarms.waiting_messages,
        ),
    )
