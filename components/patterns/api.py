"""Api: requests → load balancer or HTTP API → Fargate tasks that answer with what the handler returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.api_key import GeneratedApiKey, GeneratedApiKeyArgs
from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.http_api import HttpApi, HttpApiArgs, IamAuthorization, JwtAuthorization
from components.compute.http_api_integrations import ServiceIntegration
from components.compute.load_balancer import LoadBalancer, LoadBalancerArgs
from components.compute.request_scaling import RequestScaling, RequestScalingArgs
from components.compute.service import Service, ServiceArgs
from components.compute.service_registry import ServiceRegistry, ServiceRegistryArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.manifest import published, render
from components.network import Network
from components.observability.api_alarms import ApiAlarms, ApiAlarmsArgs
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from contracts import environment as env
from contracts.manifest import ApiRef, PatternManifest, ScalingRef, ServiceRef

__all__ = ["PATTERN", "Api", "ApiArgs", "HttpApiIngress"]

PATTERN = "api"
SCALING_POLICY = "requests"

_COMMAND = ("api",)
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
class ApiArgs:
    """Arguments of `Api`.

    Attributes:
        network, cluster: where it runs.
        ingress: `LoadBalancerArgs` or `HttpApiIngress`. **A change between the two replaces the service.**
        container: the image with the worker and the handler; its environment is completed with what the worker needs.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        path: where events are posted; default ``/events``.
        port: where the tasks listen; default 8080. With a load balancer, its `container_port`.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        concurrency: requests that one task handles at a time, in threads, 1 to 100; default 10.
        max_waiting: requests beside those that may wait for a thread, 0 to 10,000; default 20. More are answered 503.
        max_body_bytes: 1 to 10,485,760; default 1,048,576.
        check_schemas: refuses events that do not obey the JSON Schema of their kind; default True.
        statements: what the handler may do; default nothing beyond its idempotency table.
        api_key: the tasks let in only who shows the key in ``x-api-key``; it is generated. Default True.
        min_tasks, max_tasks, cpu_percent, requests_per_task: see `RequestScalingArgs`.
        spot, on_demand_base: see `ServiceArgs`.
        idempotency_expires_hours: how long a key and its result are remembered, 1 to 8,760; default 24; None hands
            every copy to the handler and creates no table.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        error_percent, latency_seconds: see `ApiAlarmsArgs`.
        encryption_key: customer-managed key of the table and the API key; default None.
        description: of the HTTP API.
    """

    network: Network
    cluster: Cluster
    ingress: LoadBalancerArgs | HttpApiIngress
    container: ContainerArgs
    function: str | None = None
    path: str = "/events"
    port: int = 8080
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    concurrency: int = 10
    max_waiting: int = 20
    max_body_bytes: int = 1_048_576
    check_schemas: bool = True
    statements: Sequence[Statement] = ()
    api_key: bool = True
    min_tasks: int = 1
    max_tasks: int = 10
    cpu_percent: int | None = 60
    requests_per_task: int | None = None
    spot: bool = False
    on_demand_base: int = 0
    idempotency_expires_hours: int | None = 24
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    error_percent: float = 5
    latency_seconds: float = 5
    encryption_key: EncryptionKey | None = None
    description: str | None = None


_RULES = (
    Range("port", 1, 65_535),
    Range("concurrency", 1, 100, "requests"),
    Range("max_waiting", 0, 10_000, "requests"),
    Range("max_body_bytes", 1, 10_485_760, "bytes"),
    Range("idempotency_expires_hours", 1, 8_760, "hours"),
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
        self._validate(args)
        self.args = args
        self.load_balancer: LoadBalancer | None = None
        self.http_api: HttpApi | None = None
        self.key = self._create_key(args) if args.api_key else None
        self.table = self._create_table(args)
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

    def _validate(self, args: ApiArgs) -> None:
        where = f"Api {self.name!r}"
        check(where, args, _RULES)
        owned = {getattr(env, constant) for constant in env.__all__}
        if taken := owned & {*args.container.environment, *args.container.secrets}:
            names = ", ".join(sorted(taken))
            raise InvalidArgsError(where, [f"container.environment sets {names}, which the pattern owns; remove it"])

    def _create_key(self, args: ApiArgs) -> GeneratedApiKey:
        return GeneratedApiKey(
            f"{self.name}-key", GeneratedApiKeyArgs(encryption_key=args.encryption_key), self.child()
        )

    def _create_table(self, args: ApiArgs) -> IdempotencyTable | None:
        if args.idempotency_expires_hours is None:
            return None
        return IdempotencyTable(
            f"{self.name}-idempotency", IdempotencyTableArgs(encryption_key=args.encryption_key), self.child()
        )

    def _create_task_definition(self, args: ApiArgs) -> TaskDefinition:
        key_arns = [args.encryption_key.arn] if args.encryption_key and self.key else []
        container = dataclasses.replace(
            args.container,
            command=args.container.command or _COMMAND,
            port=args.port,
            environment={**args.container.environment, **self._environment(args)},
            secrets={**args.container.secrets, **({env.API_KEYS: self.key.arn} if self.key else {})},
            secret_key_arns=[*args.container.secret_key_arns, *key_arns],
        )
        return TaskDefinition(
            self.name,
            TaskDefinitionArgs(
                container=container,
                cpu=args.cpu,
                memory_mib=args.memory_mib,
                architecture=args.architecture,
                log_retention_days=args.log_retention_days,
                statements=[*(self.table.remember() if self.table else []), *args.statements],
            ),
            self.child(),
        )

    def _environment(self, args: ApiArgs) -> dict[str, pulumi.Input[str]]:
        behind_dns = isinstance(args.ingress, HttpApiIngress)
        variables: dict[str, pulumi.Input[str]] = {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.STOP_TIMEOUT_SECONDS: str(args.container.stop_timeout_seconds),
            env.CONCURRENCY: str(args.concurrency),
            env.CHECK_SCHEMAS: "true" if args.check_schemas else "false",
            env.API_PORT: str(args.port),
            env.API_PATH: args.path,
            env.API_MAX_WAITING: str(args.max_waiting),
            env.API_MAX_BODY_BYTES: str(args.max_body_bytes),
            env.API_LINGER_SECONDS: str(_LINGER_SECONDS if args.spot or behind_dns else 0),
        }
        if args.function:
            variables[env.HANDLER] = args.function
        if self.table and args.idempotency_expires_hours:
            variables[env.IDEMPOTENCY_TABLE] = self.table.table_name
            variables[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(args.idempotency_expires_hours * 3600)
        return variables

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
        return Service(
            self.name,
            ServiceArgs(
                cluster=args.cluster,
                task_definition=self.task_definition,
                network=args.network,
                desired_count=args.min_tasks,
                spot=args.spot,
                on_demand_base=args.on_demand_base,
                load_balancer_targets=[self.load_balancer.target] if self.load_balancer else [],
                registry_entry=registry.entry if registry else None,
            ),
            self.child(),
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

    def references(self) -> dict[str, pulumi.Input[object]]:
        """The fields of a manifest that are known only after the deploy."""
        return {
            "region": aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region,
            "api": published(ApiRef, url=self.url, key_secret_arn=self.key.arn if self.key else None),
            "service": published(
                ServiceRef,
                cluster=self.service.cluster_name,
                name=self.service.service_name,
                log_group=self.task_definition.log_group_name,
            ),
            "idempotency_table": self.table.table_name if self.table else None,
        }

    def scaling_ref(self) -> ScalingRef:
        """Bounds of the tasks."""
        return ScalingRef(policy=SCALING_POLICY, min=self.args.min_tasks, max=self.args.max_tasks)

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return render(
            PatternManifest(
                name=self.name, pattern=PATTERN, stack=pulumi.get_stack(), region="", scaling=self.scaling_ref()
            ),
            **self.references(),
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
