"""Settings of an `api` → `Api` or `AcceptingApi`."""

from __future__ import annotations

from components.compute.http_api import IamAuthorization, JwtAuthorization
from components.compute.load_balancer import LoadBalancerArgs
from components.config.api import (
    AcceptSettings,
    ApiSettings,
    HttpApiSettings,
    Ingress,
    LoadBalancerSettings,
    Mode,
    ServedApiSettings,
)
from components.config.compute import HandlerSettings
from components.patterns.accepting_api import AcceptingApi, AcceptingApiArgs
from components.patterns.api import Api, ApiArgs, HttpApiIngress
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.queue_worker import QueueWorkerArgs
from components.shared import Shared
from components.stores.queue import QueueArgs

__all__ = ["api_args_from", "build_api"]


def build_api(name: str, settings: ApiSettings, shared: Shared) -> Api | AcceptingApi:
    if settings.mode is Mode.ASYNCHRONOUS:
        return _build_accepting(name, settings, shared)
    assert settings.handler is not None  # the settings are checked
    ingress = settings.ingress or Ingress.LOAD_BALANCER
    return Api(name, api_args_from(name, settings, settings.handler, ingress, shared, settings.description))


def api_args_from(
    name: str,
    settings: ApiSettings | ServedApiSettings,
    handler: HandlerSettings,
    ingress: Ingress,
    shared: Shared,
    description: str | None,
) -> ApiArgs:
    """The arguments of an API whose tasks answer."""
    return ApiArgs(
        network=shared.network,
        cluster=shared.cluster,
        ingress=(
            _load_balancer(settings.load_balancer, shared)
            if ingress is Ingress.LOAD_BALANCER and settings.load_balancer
            else _http_api(settings.http_api)
        ),
        container=container_from(name, handler),
        function=handler.function,
        path=settings.path,
        cpu=handler.cpu,
        memory_mib=handler.memory_mib,
        architecture=handler.architecture,
        log_retention_days=handler.log_retention_days,
        log_level=handler.log_level,
        concurrency=handler.concurrency,
        max_waiting=settings.max_waiting,
        max_body_bytes=settings.max_body_bytes,
        check_schemas=handler.check_schemas,
        statements=permissions_from(handler),
        api_key=settings.api_key,
        min_tasks=settings.scaling.min,
        max_tasks=settings.scaling.max,
        cpu_percent=settings.scaling.cpu_percent,
        requests_per_task=settings.scaling.requests_per_task,
        spot=settings.capacity.spot,
        on_demand_base=settings.capacity.on_demand_base,
        idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
        alarms=shared.alarms_enabled,
        alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
        error_percent=settings.alarms.error_percent,
        latency_seconds=settings.alarms.latency_seconds,
        encryption_key=shared.encryption_key,
        description=description,
    )


def _load_balancer(settings: LoadBalancerSettings, shared: Shared) -> LoadBalancerArgs:
    return LoadBalancerArgs(
        network=shared.network,
        certificate_arn=settings.certificate_arn,
        http_only=settings.http_only,
        public=settings.public,
        ingress_cidrs=settings.ingress_cidrs,
        subnet_ids=settings.subnet_ids,
        domain_name=settings.domain_name,
        zone_id=settings.zone_id,
        web_acl_arn=settings.web_acl_arn,
        access_log_bucket=settings.access_log_bucket,
        deregistration_delay_seconds=settings.deregistration_delay_seconds,
        idle_timeout_seconds=settings.idle_timeout_seconds,
        deletion_protection=settings.deletion_protection,
    )


def _authorization(settings: HttpApiSettings) -> IamAuthorization | JwtAuthorization | None:
    if settings.jwt is not None:
        return JwtAuthorization(issuer=settings.jwt.issuer, audience=settings.jwt.audience, scopes=settings.jwt.scopes)
    return IamAuthorization() if settings.iam else None


def _http_api(settings: HttpApiSettings) -> HttpApiIngress:
    return HttpApiIngress(
        authorization=_authorization(settings),
        requests_per_second=settings.requests_per_second,
        burst=settings.burst,
    )


def _build_accepting(name: str, settings: ApiSettings, shared: Shared) -> AcceptingApi:
    accept, http_api = settings.accept or AcceptSettings(), settings.http_api
    return AcceptingApi(
        name,
        AcceptingApiArgs(
            bus=shared.bus,
            worker=_worker(name, settings, accept, settings.handler, shared) if settings.handler else None,
            source=accept.source,
            # Nobody looks at a key here, so signing is what is asked for unless the settings say otherwise.
            authorization=_authorization(http_api) or (None if http_api.open else IamAuthorization()),
            path=settings.path,
            requests_per_second=http_api.requests_per_second,
            burst=http_api.burst,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            error_percent=settings.alarms.error_percent,
            latency_seconds=settings.alarms.latency_seconds,
            description=settings.description,
        ),
    )


def _worker(
    name: str, settings: ApiSettings, accept: AcceptSettings, handler: HandlerSettings, shared: Shared
) -> QueueWorkerArgs:
    queue, scaling = accept.queue, accept.scaling
    return QueueWorkerArgs(
        network=shared.network,
        cluster=shared.cluster,
        bus=shared.bus,
        container=container_from(name, handler),
        function=handler.function,
        cpu=handler.cpu,
        memory_mib=handler.memory_mib,
        architecture=handler.architecture,
        log_retention_days=handler.log_retention_days,
        log_level=handler.log_level,
        concurrency=handler.concurrency,
        check_schemas=handler.check_schemas,
        statements=permissions_from(handler),
        queue=QueueArgs(
            processing_seconds=min(7_200, scaling.processing_seconds * handler.concurrency),
            visibility_timeout_seconds=queue.visibility_timeout_seconds,
            max_receive_count=queue.max_receive_count,
            retention_days=queue.retention_days,
            delay_seconds=queue.delay_seconds,
            encryption_key=shared.encryption_key,
        ),
        policy=scaling.policy,
        acceptable_latency_seconds=scaling.acceptable_latency_seconds,
        processing_seconds=scaling.processing_seconds,
        min_tasks=scaling.min,
        max_tasks=scaling.max,
        spot=settings.capacity.spot,
        on_demand_base=settings.capacity.on_demand_base,
        idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
        alarms=shared.alarms_enabled,
        alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
    )
