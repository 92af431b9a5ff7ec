"""What the program publishes about a pattern, and `ops` reads: the only link between the two.

Published twice with the same content: as the stack output ``patterns`` (name → document) and as SSM parameters
``/eda/<stack>/patterns/<name>``. Documents stay under 4,096 bytes, the limit of a standard parameter.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from contracts.errors import ManifestError

__all__ = [
    "PARAMETER_MAX_BYTES",
    "VERSION",
    "AirflowRef",
    "ApiRef",
    "BrokerRef",
    "BucketRef",
    "BusRef",
    "DeadLetterQueueRef",
    "Holds",
    "JobsRef",
    "KafkaRef",
    "PatternManifest",
    "QueueRef",
    "RuleRef",
    "ScalingRef",
    "ScheduleRef",
    "ServiceRef",
    "StateMachineRef",
    "StepRef",
    "StreamRef",
    "TaskRef",
    "TopicRef",
    "parameter_name",
    "parameter_path",
]

VERSION = 1
PARAMETER_MAX_BYTES = 4096

T = TypeVar("T")


def parameter_path(stack: str) -> str:
    """The SSM path under which all patterns of a stack are published."""
    return f"/eda/{stack}/patterns"


def parameter_name(stack: str, pattern: str) -> str:
    return f"{parameter_path(stack)}/{pattern}"


class Holds(StrEnum):
    """What a dead-letter queue holds, which decides how a replay returns it."""

    MESSAGES = "messages"
    """Messages that a worker could not process; they belong in `origin_arn`."""
    UNDELIVERED_EVENTS = "undelivered-events"
    """Events that EventBridge could not deliver; each names its rule and target."""
    UNDELIVERED_MESSAGES = "undelivered-messages"
    """Messages that a topic could not deliver to the subscriber `origin_arn`, just as it would have got them."""
    RECORDS = "records"
    """Records of the stream `origin_arn` that a worker could not process; each names its place (contracts.messages)."""


@dataclass(frozen=True, kw_only=True)
class AirflowRef:
    """`webserver_url` is without its protocol; DAGs are under ``dags/`` of the bucket."""

    environment: str
    webserver_url: str
    bucket: str


@dataclass(frozen=True, kw_only=True)
class ApiRef:
    """`url` is where events are posted; callers show the secret's value in ``x-api-key``, if there is one."""

    url: str
    key_secret_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class BrokerRef:
    """`urls` are the worker's endpoints; the secret is a JSON object with ``username`` and ``password``."""

    name: str
    arn: str
    engine: str
    urls: tuple[str, ...]
    secret_arn: str
    queue: str
    dead_letter_queue: str


@dataclass(frozen=True, kw_only=True)
class BusRef:
    name: str
    arn: str


@dataclass(frozen=True, kw_only=True)
class BucketRef:
    """Whose objects are processed: those whose keys begin with `prefix` and end with `suffix`."""

    name: str
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskRef:
    """A standalone task: its family (the latest revision is run) and where it runs."""

    cluster: str
    family: str
    log_group: str


@dataclass(frozen=True, kw_only=True)
class JobsRef:
    """Tracked jobs: `create_function` is invoked to create one, at `url` by a signed request.

    `container` is the one whose exit code is a job's; an ended job is forgotten after `retention_days`.
    """

    table: str
    create_function: str
    track_function: str
    container: str
    retention_days: int
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleRef:
    """`overlap` is ``allow``, ``skip`` or ``queue``."""

    name: str
    expression: str
    time_zone: str
    overlap: str


@dataclass(frozen=True, kw_only=True)
class RuleRef:
    name: str
    bus: str


@dataclass(frozen=True, kw_only=True)
class QueueRef:
    name: str
    url: str
    arn: str
    fifo: bool = False
    visibility_timeout_seconds: int = 30


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueueRef:
    name: str
    url: str
    arn: str
    holds: Holds
    fifo: bool = False
    origin_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class StreamRef:
    """`lease_table` is this application's; `consumer_arn` is set when it reads as a registered consumer."""

    name: str
    arn: str
    lease_table: str
    consumer_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class KafkaRef:
    """`bootstrap_servers` have a protocol only where they need no authentication."""

    cluster: str
    cluster_arn: str
    bootstrap_servers: str
    topic: str
    topic_arn: str
    partitions: int
    group: str
    dead_letter_topic: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepRef:
    """`kind` is ``request-response``, ``sync``, ``callback`` or ``activity``, which has a `service` of workers."""

    name: str
    kind: str
    log_group: str
    service: str | None = None


@dataclass(frozen=True, kw_only=True)
class StateMachineRef:
    """`log_group` is that of its executions, if they are logged."""

    name: str
    arn: str
    log_group: str | None = None
    steps: tuple[StepRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TopicRef:
    name: str
    arn: str
    fifo: bool = False


@dataclass(frozen=True, kw_only=True)
class ServiceRef:
    cluster: str
    name: str
    log_group: str


@dataclass(frozen=True, kw_only=True)
class ScalingRef:
    """`policy` is ``backlog-per-task``, ``queue-depth``, ``lag`` or ``requests``.

    The latency is set with the first and with ``lag``. `headroom` is the share of it that the target leaves to AWS; 0
    also where an earlier version deployed, which had none.
    """

    policy: str
    min: int
    max: int
    acceptable_latency_seconds: float | None = None
    processing_seconds: float | None = None
    headroom: float = 0


@dataclass(frozen=True, kw_only=True)
class PatternManifest:
    """One pattern of one stack. Fields that a pattern does not have are None or empty."""

    name: str
    pattern: str
    stack: str
    region: str
    version: int = VERSION
    bus: BusRef | None = None
    rules: tuple[RuleRef, ...] = ()
    topic: TopicRef | None = None
    queue: QueueRef | None = None
    stream: StreamRef | None = None
    kafka: KafkaRef | None = None
    broker: BrokerRef | None = None
    api: ApiRef | None = None
    airflow: AirflowRef | None = None
    dead_letter_queues: tuple[DeadLetterQueueRef, ...] = ()
    service: ServiceRef | None = None
    bucket: BucketRef | None = None
    task: TaskRef | None = None
    schedule: ScheduleRef | None = None
    jobs: JobsRef | None = None
    state_machine: StateMachineRef | None = None
    scaling: ScalingRef | None = None
    idempotency_table: str | None = None
    alarms: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Compact, without the fields that are None, so that it fits a standard parameter."""
        return json.dumps(_prune(dataclasses.asdict(self)), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PatternManifest:
        """Read what `to_json` wrote. Unknown fields are ignored: `ops` may be older than the stack.

        Raises:
            ManifestError: not JSON, a missing or mistyped field, or a version this `ops` cannot read.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ManifestError(f"manifest: not JSON ({error})") from error
        if isinstance(document, Mapping) and document.get("version", VERSION) != VERSION:
            raise ManifestError(
                f"manifest: version {document['version']!r}, but this ops reads version {VERSION}; upgrade ops"
            )
        return _build(cls, document, "manifest")


def _prune(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _prune(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_prune(item) for item in value]
    return value


def _build(cls: type[T], document: object, path: str) -> T:
    if not isinstance(document, Mapping):
        raise ManifestError(f"{path}: expected an object, got {document!r:.80}")
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]
        where = f"{path}.{item.name}"
        if item.name in document:
            values[item.name] = _convert(hints[item.name], document[item.name], where)
        elif item.default is dataclasses.MISSING:
            raise ManifestError(f"{where}: missing")
    return cls(**values)


def _convert(hint: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        inner = next(option for option in typing.get_args(hint) if option is not type(None))
        return None if value is None else _convert(inner, value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise ManifestError(f"{path}: expected a list, got {value!r:.80}")
        return tuple(_convert(typing.get_args(hint)[0], entry, f"{path}[{n}]") for n, entry in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast("type[Any]", hint), value, path)
    if issubclass(hint, StrEnum):
        try:
            return hint(value)
        except ValueError as error:
            raise ManifestError(f"{path}: {value!r} is not one of {', '.join(hint)}") from error
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (hint is not bool and isinstance(value, bool)):
        raise ManifestError(f"{path}: expected {hint.__name__}, got {value!r:.80}")
    return value
