"""Api: requests → load balancer or HTTP API → Fargate tasks that answer with what the handler returns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pulumi

from components.compute.api_key import GeneratedApiKey, GeneratedApiKeyArgs
from components.compute.http_api import HttpApi, HttpApiArgs, IamAuthorization, JwtAuthorization
from components.compute.http_api_integrations import ServiceIntegration
from components.compute.load_balancer import LoadBalancer, LoadBalancerArgs
from components.compute.request_scaling import RequestScaling, RequestScalingArgs
from components.compute.service import Service
from components.compute.service_registry import ServiceRegistry, ServiceRegistryArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.manifest import published, service_ref
from components.observability.api_alarms import ApiAlarms, ApiAlarmsArgs
from components.patterns.manifests import pattern_manifest
from components.patterns.worker import (
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    WorkerArgs,
    create_idempotency_table,
    create_service,
    create_task_definition,
)
from contracts import environment as env
from contracts.manifest import ApiRef, ScalingRef

__all__ = ["PATTERN", "Api", "ApiArgs", "HttpApiIngress"]

PATTERN = "api"
SCALING_POLICY = "requests"

_LINGER_SECONDS = 15
"""How long callers may still come after SIGTERM: Spot tells the task and the load balancer at the same time, and API
Gateway keeps an address for the TTL of its record (10 seconds)."""


@dataclass(frozen=True, kw_only=True)
class HttpApiIngress:
    """An API Gateway HTTP API in front of the tasks; see `HttpApiArgs`.

    Attributes:
        authorization: default None: API Gateway lets everybody pass; the tasks still ask for the API key.
        requests_per_second, burst: default 100 and 200.
    """

    authorization: JwtAuthorization | IamAuthorization | None = None
    requests_per_second: int = 100
    burst: int = 200


@dataclass(frozen=True, kw_only=True)
class ApiArgs(WorkerArgs):
    """Arguments of `Api`, beside those of `WorkerArgs`.

    Attributes:
        ingress: `LoadBalancerArgs` or `HttpApiIngress`. **A change between the two replaces the service.**
        path: where events are posted; default ``/events``.
        port: where the tasks listen; default 8080. With a load balancer, its `container_port`.
        concurrency: requests that one task handles at a time, in threads, 1 to 100; default 10.
        max_waiting: requests beside those that may wait for a thread, 0 to 10,000; default 20. More are answered 503.
        max_body_bytes: 1 to 10,485,760; default 1,048,576.
        api_key: the tasks let in only who shows the key in ``x-api-key``; it is generated. Default True.
        min_tasks, max_tasks, cpu_percent, requests_per_task: see `RequestScalingArgs`.
        error_percent, latency_seconds: see `ApiAlarmsArgs`.
        encryption_key: customer-managed key of the table and the API key; default None.
        description: of the HTTP API.
    """

    ingress: LoadBalancerArgs | HttpApiIngress
    path: str = "/events"
    port: int = 8080
    concurrency: int = 10
    max_waiting: int = 20
    max_body_bytes: int = 1_048_576
    api_key: bool = True
    min_tasks: int = 1
    max_tasks: int = 10
    cpu_percent: int | None = 60
    requests_per_task: int | None = None
    error_percent: float = 5
    latency_seconds: float = 5
    encryption_key: EncryptionKey | None = None
    description: str | None = None


_RULES = (
    Range("port", 1, 65_535),
    Range("concurrency", 1, 100, "requests"),
    Range("max_waiting", 0, 10_000, "requests"),
    Range("max_body_bytes", 1, 10_485_760, "bytes"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    Check(
        ("path",),
        lambda args: not args.path.startswith("/") or args.path == "/health",
        lambda args: f"path is {args.path!r}; allowed is a path other than '/health', e.g. '/events'",
    ),
    Check(
        ("ingress", "port"),
        lambda args: isinstance(args.ingress, LoadBalancerArgs) and args.ingress.container_port != args.port,
        lambda args: (
            f"port is {args.port}, but the load balancer sends to {args.ingress.container_port}; make them one"
        ),
    ),
)


class Api(Component):
    """One API of the stack.

    Attributes:
        url: where events are posted.
        key: `GeneratedApiKey`; None without one.
        load_balancer, http_api: one of them; the other is None.
        table, task_definition, service, scaling, alarms: the parts; table and alarms may be None.
    """

    def __init__(self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"Api {name!r}", args, _RULES)
        self.args = args
        self.load_balancer: LoadBalancer | None = None
        self.http_api: HttpApi | None = None
        self.key = self._create_key(args) if args.api_key else None
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.task_definition = self._create_task_definition(args)
        match args.ingress:
            case LoadBalancerArgs() as ingress:
                self.load_balancer = LoadBalancer(name, ingress, self.child())
                base, registry = self.load_balancer.url, None
            case HttpApiIngress() as ingress:
                registry = ServiceRegistry(
                    name, ServiceRegistryArgs(network=args.network, container_port=args.port), self.child()
                )
                self.http_api = self._create_http_api(ingress, registry)
                base = self.http_api.url
        self.url: pulumi.Output[str] = pulumi.Output.concat(base, args.path)
        self.service = self._create_service(args, registry)
        self.scaling = RequestScaling(
            f"{name}-scaling",
            RequestScalingArgs(
                service=self.service,
                min_tasks=args.min_tasks,
                max_tasks=args.max_tasks,
                cpu_percent=args.cpu_percent,
                requests_per_task=args.requests_per_task,
                load_balancer=self.load_balancer,
            ),
            self.child(),
        )
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"url": self.url})

    def _create_key(self, args: ApiArgs) -> GeneratedApiKey:
        return GeneratedApiKey(
            f"{self.name}-key", GeneratedApiKeyArgs(encryption_key=args.encryption_key), self.child()
        )

    def _create_task_definition(self, args: ApiArgs) -> TaskDefinition:
        behind_dns = isinstance(args.ingress, HttpApiIngress)
        key_arns = [args.encryption_key.arn] if args.encryption_key and self.key else []
        return create_task_definition(
            self,
            args,
            command="api",
            variables={
                env.API_PORT: str(args.port),
                env.API_PATH: args.path,
                env.API_MAX_WAITING: str(args.max_waiting),
                env.API_MAX_BODY_BYTES: str(args.max_body_bytes),
                env.API_LINGER_SECONDS: str(_LINGER_SECONDS if args.spot or behind_dns else 0),
            },
            container=dataclasses.replace(
                args.container,
                port=args.port,
                secrets={**args.container.secrets, **({env.API_KEYS: self.key.arn} if self.key else {})},
                secret_key_arns=[*args.container.secret_key_arns, *key_arns],
            ),
            table=self.table,
        )

    def _create_http_api(self, ingress: HttpApiIngress, registry: ServiceRegistry) -> HttpApi:
        args = self.args
        return HttpApi(
            self.name,
            HttpApiArgs(
                integration=ServiceIntegration(registry=registry, network=args.network, path=args.path),
                authorization=ingress.authorization,
                requests_per_second=ingress.requests_per_second,
                burst=ingress.burst,
                log_retention_days=args.log_retention_days,
                description=args.description,
            ),
            self.child(),
        )

    def _create_service(self, args: ApiArgs, registry: ServiceRegistry | None) -> Service:
        return create_service(
            self,
            args,
            self.task_definition,
            desired_count=args.min_tasks,
            load_balancer_targets=[self.load_balancer.target] if self.load_balancer else [],
            registry_entry=registry.entry if registry else None,
        )

    def _create_alarms(self, args: ApiArgs) -> ApiAlarms:
        return ApiAlarms(
            f"{self.name}-alarms",
            ApiAlarmsArgs(
                pattern=self.name,
                load_balancer=self.load_balancer,
                http_api=self.http_api,
                error_percent=args.error_percent,
                latency_seconds=args.latency_seconds,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def references(self) -> dict[str, pulumi.Input[Any]]:
        """The fields of a manifest that are known only after the deploy."""
        return {
            "api": published(ApiRef, url=self.url, key_secret_arn=self.key.arn if self.key else None),
            "service": service_ref(self.service),
            "idempotency_table": self.table.table_name if self.table else None,
        }

    def scaling_ref(self) -> ScalingRef:
        """Bounds of the tasks."""
        return ScalingRef(policy=SCALING_POLICY, min=self.args.min_tasks, max=self.args.max_tasks)

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return pattern_manifest(
            self,
            PATTERN,
            scaling=self.scaling_ref(),
            **self.references(),
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
