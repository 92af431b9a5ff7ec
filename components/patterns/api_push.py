"""ApiPush: bus → rule → API destination → an API: one of its own, or one that exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, failed_invocations_alarm
from components.patterns.api import Api, ApiArgs
from components.patterns.manifests import pattern_manifest
from components.routers.api_destination import ApiDestination, ApiDestinationArgs, ApiKey, Credentials
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import ApiDestinationTarget
from contracts.manifest import ApiRef, BusRef, Holds, RuleRef

__all__ = ["PATTERN", "ApiPush", "ApiPushArgs", "ExistingApi"]

PATTERN = "api-push"

_KEY_HEADER = "x-api-key"


@dataclass(frozen=True, kw_only=True)
class ExistingApi:
    """An API that this pattern does not make.

    Attributes:
        url: https.
        credentials: how EventBridge logs in.
        method: default POST.
        private_resource_configuration_arn: VPC Lattice resource configuration, for an API inside a VPC; default None.
    """

    url: pulumi.Input[str]
    credentials: Credentials
    method: str = "POST"
    private_resource_configuration_arn: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class ApiPushArgs:
    """Arguments of `ApiPush`.

    Attributes:
        bus: whose events.
        event_pattern: which events.
        api: `ApiArgs`, an API of its own, reached from the internet over HTTPS and with an API key; or `ExistingApi`.
        requests_per_second: EventBridge sends at most so many, 1 or more; default 300. Events wait their turn for up to
            `maximum_event_age_seconds`.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`. What is
            answered 401, 407, 409, 429 or 5xx, or not within five seconds, is repeated; everything else goes to the
            dead-letter queue at once.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        encryption_key: customer-managed key of the dead-letter queue and of the connection's secret; default None.
        description: of the rule and the API destination.
    """

    bus: EventBus
    event_pattern: Mapping[str, Any]
    api: ApiArgs | ExistingApi
    requests_per_second: int = 300
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    encryption_key: EncryptionKey | None = None
    description: str | None = None


class ApiPush(Component):
    """Events pushed to an API, not faster than it can take them, and none lost when it is down.

    Attributes:
        api: `Api`; None with an existing one.
        destination, rule: the parts.
        alarm_names: of the push itself; those of its own API are the API's.
    """

    def __init__(self, name: str, args: ApiPushArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.api = Api(name, args.api, self.child()) if isinstance(args.api, ApiArgs) else None
        self.destination = ApiDestination(name, self._destination(args), self.child())
        self.rule = Rule(
            name,
            RuleArgs(
                bus=args.bus,
                event_pattern=args.event_pattern,
                targets=[ApiDestinationTarget(destination=self.destination)],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )
        self.alarm_names = self._create_alarms() if args.alarms else []
        self.publish({"dead_letter_queue_url": self.rule.dead_letter_queue.url})

    def _validate(self, args: ApiPushArgs) -> None:
        if isinstance(args.api, ApiArgs) and not args.api.api_key:
            raise InvalidArgsError(
                f"ApiPush {self.name!r}", ["api.api_key is False; EventBridge always logs in, so let it have a key"]
            )

    def _destination(self, args: ApiPushArgs) -> ApiDestinationArgs:
        existing = args.api if isinstance(args.api, ExistingApi) else self._own_api()
        return ApiDestinationArgs(
            url=existing.url,
            credentials=existing.credentials,
            method=existing.method,
            requests_per_second=args.requests_per_second,
            private_resource_configuration_arn=existing.private_resource_configuration_arn,
            encryption_key=args.encryption_key,
            description=args.description,
        )

    def _own_api(self) -> ExistingApi:
        assert self.api is not None
        assert self.api.key is not None
        return ExistingApi(url=self.api.url, credentials=ApiKey(header=_KEY_HEADER, value=self.api.key.value))

    def _create_alarms(self) -> list[pulumi.Output[str]]:
        name = self.name
        lost = f"EventBridge could not deliver events of {name} to its API; they stay for 14 days."
        failing = f"The rule of {name} could not invoke its API destination."
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-undelivered",
                self.rule.dead_letter_queue,
                self._notice(lost, f"peek-dlq {name}", Runbook.DEAD_LETTER_QUEUE),
            ),
            failed_invocations_alarm(
                self, f"{name}-failed-invocations", self.rule, self._notice(failing, f"status {name}", Runbook.API)
            ),
        ]
        return [alarm.name for alarm in alarms]

    def _notice(self, meaning: str, command: str, runbook: Runbook) -> Notice:
        return Notice(meaning=meaning, command=command, runbook=runbook, topic_arn=self.args.alarm_topic_arn)

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        args = self.args
        own: dict[str, pulumi.Input[Any]] = dict(self.api.references()) if self.api else {}
        if isinstance(args.api, ExistingApi):
            own["api"] = published(ApiRef, url=args.api.url)
        api_alarms = self.api.alarms.alarm_names if self.api and self.api.alarms else []
        own |= {
            "bus": published(BusRef, name=args.bus.bus_name, arn=args.bus.arn),
            "rules": [published(RuleRef, name=self.rule.rule_name, bus=args.bus.bus_name)],
            "dead_letter_queues": [dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)],
            "alarms": [*self.alarm_names, *api_alarms],
        }
        return pattern_manifest(self, PATTERN, scaling=self.api.scaling_ref() if self.api else None, **own)
