"""Replays events from an archive of EventBridge onto its bus, and follows the replay to its end."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["Plan", "ReplayState", "cancel", "follow", "plan_replay", "start"]

_FINAL = ("COMPLETED", "CANCELLED", "FAILED")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A replay that could be started.

    Attributes:
        archive, archive_arn: where the events are.
        archived: events in the whole archive, as EventBridge counts them (it is late by up to a day).
        bus, bus_arn: where they go: EventBridge replays to the archive's own bus only.
        rules: names of the rules that get them; empty for all.
        rule_arns: the same as ARNs.
        since, until: of the events' own time, UTC.
    """

    archive: str
    archive_arn: str
    archived: int
    bus: str
    bus_arn: str
    rules: tuple[str, ...]
    rule_arns: tuple[str, ...]
    since: datetime.datetime
    until: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class ReplayState:
    """How far a replay is.

    Attributes:
        name: of the replay; delivered events carry it as ``replay-name``.
        state: STARTING, RUNNING, CANCELLING, COMPLETED, CANCELLED or FAILED.
        replayed_until: time of the last event that was replayed; None before the first.
        reason: why it failed or was cancelled; empty otherwise.
    """

    name: str
    state: str
    replayed_until: datetime.datetime | None
    reason: str

    @property
    def final(self) -> bool:
        return self.state in _FINAL


def plan_replay(
    client: EventBridgeClient,
    bus: str,
    rules: Sequence[str],
    since: datetime.datetime,
    until: datetime.datetime,
    archive: str | None = None,
) -> Plan:
    """Find the archive and the rules, and check the times. Nothing is started.

    Args:
        client: of the bus's region.
        bus: its name or ARN.
        rules: names of the rules that get the events; empty for all.
        since, until: of the events' own time; `since` is included.
        archive: its name; None takes the only archive of the bus.

    Raises:
        UsageError: `until` is not after `since`, a rule does not exist, or there are several archives.
        OpsError: the bus, or an archive of it, does not exist.
    """
    if until <= since:
        raise UsageError(f"--until ({until:%Y-%m-%dT%H:%MZ}) is not after --since ({since:%Y-%m-%dT%H:%MZ})")
    try:
        described = client.describe_event_bus(Name=bus)
        chosen = _archive(client, described["Arn"], described["Name"], archive)
        arns = [_rule_arn(client, bus, rule) for rule in rules]
        archived = client.describe_archive(ArchiveName=chosen)
    except client.exceptions.ResourceNotFoundException as error:
        raise OpsError(
            f"EventBridge does not know it (in this account and region): {error}",
            "check --bus and --archive; `aws events list-archives` shows what exists",
        ) from None
    except OpsError:
        raise
    except Exception as error:
        raise explain(error, f"reading the archive of {bus}") from error
    return Plan(
        archive=chosen,
        archive_arn=archived["ArchiveArn"],
        archived=archived.get("EventCount", 0),
        bus=described["Name"],
        bus_arn=described["Arn"],
        rules=tuple(rules),
        rule_arns=tuple(arns),
        since=since,
        until=until,
    )


def start(client: EventBridgeClient, plan: Plan) -> str:
    """Start the replay; its name.

    Raises:
        OpsError: EventBridge refused, e.g. because ten replays are running.
    """
    name = f"ops-{uuid.uuid4().hex[:12]}"
    destination: Any = {"Arn": plan.bus_arn}
    if plan.rule_arns:
        destination["FilterArns"] = list(plan.rule_arns)
    try:
        client.start_replay(
            ReplayName=name,
            EventSourceArn=plan.archive_arn,
            EventStartTime=plan.since,
            EventEndTime=plan.until,
            Destination=destination,
        )
    except Exception as error:
        raise explain(error, f"replaying {plan.archive}") from error
    return name


def follow(
    client: EventBridgeClient,
    name: str,
    stop: threading.Event,
    seen: Callable[[ReplayState], None],
    timeout_seconds: float,
    poll_seconds: float = 2.0,
) -> ReplayState:
    """Wait until the replay has ended, the time is over, or `stop` is set; the last state.

    Args:
        client: of the replay's region.
        name: of the replay.
        stop: ends the wait, not the replay.
        seen: called with each state that differs from the last.
        timeout_seconds: over 0.
        poll_seconds: between looks, over 0.
    """
    deadline = time.monotonic() + timeout_seconds
    last: ReplayState | None = None
    while True:
        state = _state(client, name)
        if state != last:
            seen(state)
            last = state
        if state.final or time.monotonic() >= deadline or stop.wait(poll_seconds):
            return state


def cancel(client: EventBridgeClient, name: str) -> None:
    """Stop a running replay. What it has delivered stays delivered."""
    try:
        client.cancel_replay(ReplayName=name)
    except Exception as error:
        raise explain(error, f"cancelling the replay {name}") from error


def _state(client: EventBridgeClient, name: str) -> ReplayState:
    try:
        answer = client.describe_replay(ReplayName=name)
    except Exception as error:
        raise explain(error, f"the replay {name}") from error
    return ReplayState(
        name=name,
        state=answer["State"],
        replayed_until=answer.get("EventLastReplayedTime"),
        reason=answer.get("StateReason", ""),
    )


def _archive(client: EventBridgeClient, bus_arn: str, bus: str, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    names = [archive["ArchiveName"] for archive in client.list_archives(EventSourceArn=bus_arn)["Archives"]]
    if not names:
        raise OpsError(
            f"the bus {bus} has no archive", "set eda:bus: {archive_days: 7} and deploy; it keeps new events"
        )
    if len(names) > 1:
        raise UsageError(f"the bus {bus} has {len(names)} archives", f"name one with --archive: {', '.join(names)}")
    return names[0]


def _rule_arn(client: EventBridgeClient, bus: str, rule: str) -> str:
    try:
        return client.describe_rule(Name=rule, EventBusName=bus)["Arn"]
    except client.exceptions.ResourceNotFoundException:
        names = [item["Name"] for item in client.list_rules(EventBusName=bus)["Rules"]]
        raise UsageError(f"the bus {bus} has no rule {rule!r}", f"its rules: {', '.join(names) or 'none'}") from None
