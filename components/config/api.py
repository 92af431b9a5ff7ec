"""Settings of the pattern `api`: requests that Fargate tasks answer, or that a queue or the bus accepts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings, QueueSettings, ScalingSettings
from components.config.scaling import TaskRangeSettings

__all__ = [
    "AcceptSettings",
    "ApiAlarmSettings",
    "ApiScalingSettings",
    "ApiSettings",
    "HttpApiSettings",
    "Ingress",
    "JwtSettings",
    "LoadBalancerSettings",
    "Mode",
    "ServedApiSettings",
]

Arn = Annotated[str, Field(pattern=r"^arn:")]
_PATH = r"^/[A-Za-z0-9._~/-]*$"


class Mode(StrEnum):
    """When the caller gets its answer."""

    REQUEST_RESPONSE = "request-response"
    ASYNCHRONOUS = "asynchronous"


class Ingress(StrEnum):
    """What callers reach."""

    LOAD_BALANCER = "load-balancer"
    HTTP_API = "http-api"


class LoadBalancerSettings(Settings):
    """An Application Load Balancer: from about 16 USD a month, plus traffic."""

    certificate_arn: Arn | None = Field(
        None, description="an ACM certificate of the stack's region, for HTTPS; exactly one of it and http_only"
    )
    http_only: bool = Field(
        False, description="true or false; true is without encryption, for development; default false"
    )
    public: bool = Field(
        False,
        description="true or false; true is reached from the internet, from anywhere unless ingress_cidrs says from "
        "where; false only inside the VPC; a change replaces the load balancer; default false",
    )
    ingress_cidrs: tuple[Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")], ...] = Field(
        (), description="IPv4 ranges that may connect, e.g. 10.0.0.0/16; required unless public: true"
    )
    subnet_ids: tuple[str, ...] = Field(
        (),
        description="two or more subnets in different zones; default the public ones with public: true, else the "
        "tasks'",
    )
    domain_name: str | None = Field(
        None,
        pattern=r"^[a-z0-9.-]+\.[a-z]+$",
        description="a name that the certificate has, e.g. menu.example.com; default the load balancer's own",
    )
    zone_id: str | None = Field(
        None,
        pattern=r"^Z[A-Z0-9]+$",
        description="the Route 53 hosted zone in which to create domain_name; default: it exists already",
    )
    web_acl_arn: Arn | None = Field(None, description="an AWS WAF web ACL (regional); default no WAF")
    access_log_bucket: str | None = Field(
        None, min_length=3, description="an S3 bucket whose policy admits the load balancer's logs; default no log"
    )
    deregistration_delay_seconds: int = Field(
        30,
        ge=0,
        le=3600,
        description="a whole number from 0 to 3,600 seconds that requests under way may take when a task is taken out; "
        "each deployment takes that much longer; default 30",
    )
    idle_timeout_seconds: int = Field(
        60, ge=1, le=4000, description="a whole number from 1 to 4,000 seconds without an answer before 504; default 60"
    )
    deletion_protection: bool = Field(False, description="true or false; default false")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.certificate_arn is None) != self.http_only:
            raise ValueError("set exactly one of certificate_arn (HTTPS) and http_only: true (for development)")
        if not self.public and not self.ingress_cidrs:
            raise ValueError("ingress_cidrs is empty, so nobody could connect; name IPv4 ranges or set public: true")
        if self.zone_id and not self.domain_name:
            raise ValueError("zone_id needs domain_name: the name to create there")
        return self


class JwtSettings(Settings):
    """Callers show a token of an OpenID Connect issuer."""

    issuer: str = Field(..., pattern=r"^https://", description="an https URL, as in the token's iss")
    audience: tuple[str, ...] = Field(..., min_length=1, description="one of these must be in the token's aud")
    scopes: tuple[str, ...] = Field((), description="one of these must be in the token's scope; default none is asked")


class HttpApiSettings(Settings):
    """An API Gateway HTTP API: about 1 USD for a million requests, nothing when idle, answers within 30 seconds."""

    iam: bool = Field(
        False, description="true or false; true lets in whoever signs with IAM; default true in mode asynchronous"
    )
    jwt: JwtSettings | None = Field(None, description="tokens that let callers in; default none")
    open: bool = Field(False, description="true or false; in mode asynchronous true lets everybody in; default false")
    requests_per_second: int = Field(
        100, ge=1, le=10_000, description="a whole number from 1 to 10,000; more is answered with 429; default 100"
    )
    burst: int = Field(200, ge=1, le=5_000, description="a whole number from 1 to 5,000 requests at once; default 200")

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if sum((self.iam, self.jwt is not None, self.open)) > 1:
            raise ValueError("set at most one of iam, jwt and open")
        return self


class ApiScalingSettings(TaskRangeSettings):
    """How many tasks run."""

    min: int = Field(
        1,
        ge=1,
        le=5000,
        description="a whole number from 1 to 5,000 tasks (a request cannot wake a service at zero); default 1; 2 "
        "survive the loss of a zone",
    )
    max: int = Field(10, ge=1, le=5000, description="a whole number from 1 to 5,000 tasks, not below min; default 10")
    cpu_percent: int = Field(60, ge=10, le=90, description="a whole number from 10 to 90 to aim at; default 60")
    requests_per_task: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="a whole number from 1 to 1,000,000 requests a minute to aim at, too; with a load balancer only; "
        "default not followed",
    )


class ApiAlarmSettings(Settings):
    """When to call somebody."""

    error_percent: float = Field(
        5, gt=0, le=100, description="5xx answers of all, over 0 to 100, in three of five minutes; default 5"
    )
    latency_seconds: float = Field(
        5, gt=0, le=60, description="99th percentile, over 0 to 60 seconds, in three of five minutes; default 5"
    )


class _TaskFields(Settings):
    """What every API of tasks has."""

    load_balancer: LoadBalancerSettings | None = Field(
        None, description="the load balancer, required with ingress: load-balancer"
    )
    http_api: HttpApiSettings = Field(
        default_factory=HttpApiSettings, description="the HTTP API, with ingress: http-api"
    )
    path: str = Field("/events", pattern=_PATH, description="a path other than /health; default /events")
    api_key: bool = Field(
        True,
        description="true or false, with mode: request-response; true generates a key that callers must show in "
        "x-api-key (0.40 USD a month); default true",
    )
    max_waiting: int = Field(
        20,
        ge=0,
        le=10_000,
        description="a whole number from 0 to 10,000 requests of a task beside handler.concurrency; more are answered "
        "with 503; default 20",
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1, le=10_485_760, description="a whole number from 1 to 10,485,760 bytes; default 1,048,576"
    )
    scaling: ApiScalingSettings = Field(
        default_factory=ApiScalingSettings,
        description="how many tasks run, with mode: request-response; default 1 to 10",
    )
    capacity: CapacitySettings = Field(
        default_factory=CapacitySettings, description="on demand or Spot; default on demand"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how repeated requests are recognised; default for 24 hours"
    )
    alarms: ApiAlarmSettings = Field(default_factory=ApiAlarmSettings, description="thresholds; default see there")

    @field_validator("path")
    @classmethod
    def _not_the_health_check(cls, value: str) -> str:
        if value == "/health":
            raise ValueError("is '/health', which answers health checks; choose another")
        return value

    def check_ingress(self, ingress: Ingress) -> None:
        """Raise ValueError when tasks cannot be reached as the settings say."""
        balanced = ingress is Ingress.LOAD_BALANCER
        if balanced and self.load_balancer is None:
            raise ValueError("load_balancer is missing; say how it is reached, or set ingress: http-api")
        if not balanced and self.load_balancer is not None:
            raise ValueError("load_balancer is set, but ingress is http-api; remove one of them")
        if self.scaling.requests_per_task is not None and not balanced:
            raise ValueError("scaling.requests_per_task needs ingress: load-balancer, which counts them")


class ServedApiSettings(_TaskFields):
    """Tasks that answer requests, and what callers reach them through."""

    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    ingress: Ingress = Field(
        Ingress.HTTP_API,
        description="http-api (HTTPS without a certificate of yours) or load-balancer; a change replaces the service; "
        "default http-api",
    )

    @model_validator(mode="after")
    def _reachable_from_eventbridge(self) -> Self:
        self.check_ingress(self.ingress)
        if not self.api_key:
            raise ValueError("api_key is false; EventBridge always logs in, so leave it out")
        if self.http_api.iam or self.http_api.jwt or self.http_api.open:
            raise ValueError("http_api.iam, jwt and open are not for EventBridge, which shows the API key; remove them")
        if self.load_balancer and (self.load_balancer.http_only or not self.load_balancer.public):
            raise ValueError("load_balancer: EventBridge needs HTTPS and public: true")
        return self


class AcceptSettings(Settings):
    """Where accepted events go: a queue with its own workers, or the stack's bus."""

    to: Literal["queue", "bus"] = Field(
        "queue",
        description="queue (the handler gets the events) or bus (whoever has a rule does); default queue",
    )
    source: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]+$",
        max_length=256,
        description="with to: bus, the source of all events, e.g. pizza.service.com; callers cannot choose it",
    )
    queue: QueueSettings = Field(default_factory=QueueSettings, description="with to: queue; a standard queue")
    scaling: ScalingSettings = Field(
        default_factory=ScalingSettings, description="with to: queue, how many tasks run; default 0 to 10"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.to == "bus") != (self.source is not None):
            raise ValueError("source goes with to: bus, and to: bus needs it")
        if self.source is not None and self.source.startswith("aws."):
            raise ValueError(f"source is {self.source!r}; sources that start with aws. belong to AWS")
        if self.queue.fifo:
            raise ValueError("queue.fifo is true; API Gateway cannot take a message group from an event")
        return self


class ApiSettings(_TaskFields, PatternSettings):
    """Events that are posted over HTTP."""

    pattern: Literal["api"] = Field(..., description="api")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    mode: Mode = Field(
        Mode.REQUEST_RESPONSE,
        description="request-response (the caller waits for the handler's result) or asynchronous (the caller gets 202 "
        "at once); default request-response",
    )
    handler: HandlerSettings | None = Field(
        None, description="the container that runs the handler; required unless accept.to is bus"
    )
    ingress: Ingress | None = Field(
        None,
        description="load-balancer or http-api; a change replaces the service; default load-balancer, in mode "
        "asynchronous http-api",
    )
    accept: AcceptSettings | None = Field(
        None, description="with mode: asynchronous, where events go; default a queue of its own"
    )

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.mode is Mode.REQUEST_RESPONSE:
            self._check_request_response()
        else:
            self._check_asynchronous()
        return self

    def _check_request_response(self) -> None:
        if self.handler is None:
            raise ValueError("handler is missing: it answers the requests")
        if self.accept is not None:
            raise ValueError("accept is for mode: asynchronous; remove it or set the mode")
        if self.http_api.open:
            raise ValueError("http_api.open is for mode: asynchronous; here api_key: false lets everybody in")
        self.check_ingress(self.ingress or Ingress.LOAD_BALANCER)

    def _check_asynchronous(self) -> None:
        to_bus = self.accept is not None and self.accept.to == "bus"
        if to_bus == (self.handler is not None):
            raise ValueError("handler goes with accept.to: queue, which needs it, and not with accept.to: bus")
        if self.ingress is Ingress.LOAD_BALANCER or self.load_balancer is not None:
            raise ValueError(
                "mode: asynchronous has an HTTP API and no load balancer; remove ingress and load_balancer"
            )
        for name in ("api_key", "max_waiting", "max_body_bytes", "scaling"):
            if name in self.model_fields_set:
                raise ValueError(f"{name} is for mode: request-response; remove it (accept.scaling scales the workers)")
