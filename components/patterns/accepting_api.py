"""AcceptingApi: requests → HTTP API → queue with its workers, or bus; the caller gets 202 at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.compute.http_api import HttpApi, HttpApiArgs, IamAuthorization, JwtAuthorization
from components.compute.http_api_integrations import BusIntegration, QueueIntegration
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.manifest import published
from components.observability.api_alarms import ApiAlarms, ApiAlarmsArgs
from components.patterns.api import PATTERN
from components.patterns.manifests import pattern_manifest
from components.patterns.queue_worker import QueueWorker, QueueWorkerArgs
from components.routers.event_bus import EventBus
from contracts.manifest import ApiRef, BusRef, PatternManifest

__all__ = ["AcceptingApi", "AcceptingApiArgs"]


@dataclass(frozen=True, kw_only=True)
class AcceptingApiArgs:
    """Arguments of `AcceptingApi`.

    Attributes:
        bus: the stack's.
        worker: who handles what is accepted, from a queue of its own, without an event pattern; default None: what is
            accepted goes to the bus, for whoever has a rule.
        source: of the events that go to the bus; required without `worker`.
        authorization: default `IamAuthorization`: callers sign their requests. None lets everybody in.
        path: default ``/events``; with the bus the event's type follows: ``/events/OrderCreated``.
        requests_per_second, burst, log_retention_days: see `HttpApiArgs`.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        error_percent, latency_seconds: see `ApiAlarmsArgs`.
        description: of the HTTP API.
    """

    bus: EventBus
    worker: QueueWorkerArgs | None = None
    source: str | None = None
    authorization: JwtAuthorization | IamAuthorization | None = field(default_factory=IamAuthorization)
    path: str = "/events"
    requests_per_second: int = 100
    burst: int = 200
    log_retention_days: int = 30
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    error_percent: float = 5
    latency_seconds: float = 5
    description: str | None = None


class AcceptingApi(Component):
    """An API that acknowledges. Nothing of ours runs between the caller and the queue or the bus.

    Attributes:
        url: where events are posted; with the bus, the type follows.
        worker: `QueueWorker`; None when the bus gets the events.
        http_api, alarms: the parts; alarms may be None.
    """

    def __init__(self, name: str, args: AcceptingApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.worker = QueueWorker(name, args.worker, self.child()) if args.worker else None
        self.http_api = HttpApi(
            name,
            HttpApiArgs(
                integration=self._integration(args),
                authorization=args.authorization,
                requests_per_second=args.requests_per_second,
                burst=args.burst,
                log_retention_days=args.log_retention_days,
                description=args.description,
            ),
            self.child(),
        )
        self.url: pulumi.Output[str] = pulumi.Output.concat(self.http_api.url, args.path)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"url": self.url})

    def _validate(self, args: AcceptingApiArgs) -> None:
        problems = []
        if (args.worker is None) == (args.source is None):
            problems.append(
                "set exactly one of worker (a queue of its own) and source (events go to the bus in this producer's "
                "name)"
            )
        if args.worker is not None and args.worker.event_pattern is not None:
            problems.append("worker has an event pattern; leave it out: the API alone sends to its queue")
        if problems:
            raise InvalidArgsError(f"AcceptingApi {self.name!r}", problems)

    def _integration(self, args: AcceptingApiArgs) -> QueueIntegration | BusIntegration:
        if self.worker:
            return QueueIntegration(queue=self.worker.queue, path=args.path)
        return BusIntegration(bus=args.bus, source=args.source or "", path=args.path)

    def _create_alarms(self, args: AcceptingApiArgs) -> ApiAlarms:
        return ApiAlarms(
            # The worker's are `<name>-alarms`.
            f"{self.name}-api-alarms",
            ApiAlarmsArgs(
                pattern=self.name,
                http_api=self.http_api,
                error_percent=args.error_percent,
                latency_seconds=args.latency_seconds,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text: that of the worker, if there is one, with the API."""
        api = published(ApiRef, url=self.url)
        alarms = self.alarms.alarm_names if self.alarms else []
        if self.worker:
            return pulumi.Output.all(text=self.worker.manifest(), api=api, alarms=alarms).apply(_with_api)
        return pattern_manifest(
            self,
            PATTERN,
            bus=published(BusRef, name=self.args.bus.bus_name, arn=self.args.bus.arn),
            api=api,
            alarms=alarms,
        )


def _with_api(known: dict[str, Any]) -> str:
    worker = PatternManifest.from_json(known["text"])
    alarms = (*worker.alarms, *known["alarms"])
    return dataclasses.replace(worker, pattern=PATTERN, api=known["api"], alarms=alarms).to_json()
