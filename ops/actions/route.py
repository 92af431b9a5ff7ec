"""Which rules of a bus an event would match, and for the others which field is the reason."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.event_matching import FieldMatch, explain
from contracts.manifest import PatternManifest
from ops.errors import OpsError, UsageError
from ops.errors import explain as explain_error

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

__all__ = ["RuleMatch", "buses_of", "complete", "route", "sentence"]


@dataclass(frozen=True, kw_only=True)
class RuleMatch:
    """What one rule makes of the event.

    Attributes:
        bus, rule: their names.
        pattern: the pattern of the stack that the rule belongs to; None if it belongs to none.
        enabled: a disabled rule delivers nothing.
        matches: whether its event pattern does.
        fields: every field that the event pattern asks about; empty for a rule that is a schedule.
        targets: ARNs, in the order of their ids.
    """

    bus: str
    rule: str
    pattern: str | None
    enabled: bool
    matches: bool
    fields: tuple[FieldMatch, ...]
    targets: tuple[str, ...]

    @property
    def delivers(self) -> bool:
        return self.matches and self.enabled

    @property
    def why(self) -> str:
        """One sentence: what does not match, or that the rule is off."""
        if not self.fields:
            return "it is a schedule: no event matches it"
        failures = [sentence(item) for item in self.fields if not item.matches]
        if failures:
            return "; ".join(failures)
        return "every field matches" if self.enabled else "every field matches, but the rule is disabled"


def sentence(field: FieldMatch) -> str:
    """``detail.data.region is "US"; expected one of "AU", "NZ"``."""
    found = ", ".join(json.dumps(value, ensure_ascii=False) for value in field.found) or "absent"
    expected = ", ".join(json.dumps(value, ensure_ascii=False) for value in field.expected)
    one_of = "one of " if len(field.expected) > 1 else ""
    alternative = f" (alternative {field.alternative} of $or)" if field.alternative else ""
    return f"{field.path} is {found}; expected {one_of}{expected}{alternative}"


def buses_of(manifests: Mapping[str, PatternManifest]) -> dict[str, dict[str, str]]:
    """Bus → rule → the pattern of the stack that owns the rule.

    Raises:
        UsageError: no pattern of the stack has a rule.
    """
    buses: dict[str, dict[str, str]] = {}
    for name, manifest in manifests.items():
        for rule in manifest.rules:
            buses.setdefault(rule.bus, {})[rule.name] = name
    if not buses:
        raise UsageError("no pattern of the stack has a rule", "name the bus with --bus")
    return buses


def complete(document: object, bus_arn: str) -> dict[str, Any]:
    """The event as EventBridge would deliver it: what is not there yet is filled in.

    Raises:
        UsageError: it is no event: an object with source, detail-type and detail.
    """
    if not isinstance(document, Mapping):
        raise UsageError(f"an event is an object, not {document!r:.80}")
    missing = [name for name in ("source", "detail-type", "detail") if name not in document]
    if missing:
        raise UsageError(f"the event has no {', '.join(missing)}", "an event has at least source, detail-type, detail")
    _, _, _, region, account, _ = (bus_arn.split(":", 5) + [""] * 6)[:6]
    added = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": account,
        "time": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [],
    }
    return {**added, **document}


def route(
    client: EventBridgeClient, bus: str, document: object, owners: Mapping[str, str] | None = None
) -> list[RuleMatch]:
    """Hold the event against every rule of a bus; those that deliver first, then by name.

    Args:
        client: of the bus's region.
        bus: its name or ARN.
        document: the event.
        owners: rule → pattern of the stack.

    Raises:
        OpsError: the bus does not exist, or its rules cannot be read.
    """
    try:
        arn = client.describe_event_bus(Name=bus)["Arn"]
        pages = client.get_paginator("list_rules").paginate(EventBusName=bus)
        rules: Sequence[Any] = [rule for page in pages for rule in page["Rules"]]
        event = complete(document, arn)
        found = [_judge(client, bus, rule, event, owners or {}) for rule in rules]
    except client.exceptions.ResourceNotFoundException:
        raise OpsError(
            f"the event bus {bus!r} does not exist (in this account and region)",
            "`aws events list-event-buses` shows what exists",
        ) from None
    except OpsError:
        raise
    except Exception as error:
        raise explain_error(error, f"reading the rules of {bus}") from error
    return sorted(found, key=lambda item: (not item.delivers, item.rule))


def _judge(
    client: EventBridgeClient, bus: str, rule: Any, event: Mapping[str, Any], owners: Mapping[str, str]
) -> RuleMatch:
    fields: tuple[FieldMatch, ...] = ()
    if rule.get("EventPattern"):
        fields = explain(json.loads(rule["EventPattern"]), event).fields
    pages = client.get_paginator("list_targets_by_rule").paginate(Rule=rule["Name"], EventBusName=bus)
    targets = sorted((target["Id"], target["Arn"]) for page in pages for target in page["Targets"])
    return RuleMatch(
        bus=bus,
        rule=rule["Name"],
        pattern=owners.get(rule["Name"]),
        enabled=rule.get("State") != "DISABLED",
        matches=bool(fields) and all(item.matches for item in fields),
        fields=fields,
        targets=tuple(arn for _, arn in targets),
    )
