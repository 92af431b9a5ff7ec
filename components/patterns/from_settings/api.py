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
from components.patterns.from_settings.handler import worker_values
from components.patterns.from_settings.queue_worker import queue_worker_args
from components.shared import Shared

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
        **worker_values(name, handler, settings.capacity, settings.idempotency, shared),
        ingress=(
            _load_balancer(settings.load_balancer, shared)
            if ingress is Ingress.LOAD_BALANCER and settings.load_balancer
            else _http_api(settings.http_api)
        ),
        path=settings.path,
        max_waiting=settings.max_waiting,
        max_body_bytes=settings.max_body_bytes,
        api_key=settings.api_key,
        min_tasks=settings.scaling.min,
        max_tasks=settings.scaling.max,
        cpu_percent=settings.scaling.cpu_percent,
        requests_per_task=settings.scaling.requests_per_task,
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
    worker = (
        queue_worker_args(
            name, settings.handler, accept.queue, accept.scaling, settings.capacity, settings.idempotency, shared
        )
        if settings.handler
        else None
    )
    return AcceptingApi(
        name,
        AcceptingApiArgs(
            bus=shared.bus,
            worker=worker,
            source=accept.source,
            # Nobody looks at a key here, so signing is what is asked for unless the settings say otherwise.
            authorization=_authorization(http_api) or (None if http_api.open else IamAuthorization()),
            path=settings.path,
            requests_per_second=http_api.requests_per_second,
            burst=http_api.burst,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic_arn,
            error_percent=settings.alarms.error_percent,
            latency_seconds=settings.alarms.latency_seconds,
            description=settings.description,
        ),
    )
