"""EventSchemas: the schemas of `contracts/schemas` in an EventBridge schema registry, where other teams find them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.validation import Check, check

__all__ = ["EventSchemas", "EventSchemasArgs"]


@dataclass(frozen=True, kw_only=True)
class EventSchemasArgs:
    """Arguments of `EventSchemas`.

    Attributes:
        schemas: JSON Schema (2020-12) of ``detail.data`` by ``source@DetailType``; at least one.
        description: of the registry.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    description: str | None = None


_MAX_DESCRIPTION = 256
"""EventBridge Schema Registry API reference, CreateSchema."""


def _too_long(args: EventSchemasArgs) -> list[str]:
    return sorted(
        name for name, schema in args.schemas.items() if len(schema.get("description") or "") > _MAX_DESCRIPTION
    )


_RULES = (
    Check(("schemas",), lambda args: not args.schemas, "schemas is empty; leave the registry out instead"),
    Check(
        ("schemas",),
        lambda args: any("@" not in name for name in args.schemas),
        lambda args: f"schemas are named {sorted(args.schemas)}; each is 'source@DetailType'",
    ),
    Check(
        ("schemas",),
        lambda args: bool(_too_long(args)),
        lambda args: (
            f"the descriptions of {', '.join(_too_long(args))} are longer than the {_MAX_DESCRIPTION} characters that "
            "EventBridge keeps; shorten them"
        ),
    ),
)


class EventSchemas(Component):
    """A registry with one schema for each kind of event. A changed schema becomes a new version; old ones stay.

    EventBridge stores JSON Schema up to draft 4 only as far as code bindings go, so what is published is the whole
    envelope in that draft: the keywords that this library's schemas use mean the same there.

    Attributes:
        registry_name: of the registry.
        registry: the raw registry.
    """

    def __init__(self, name: str, args: EventSchemasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"EventSchemas {name!r}", args, _RULES)
        self.registry = aws.schemas.Registry(name, description=args.description, opts=self.child())
        self.registry_name: pulumi.Output[str] = self.registry.name
        for event, schema in sorted(args.schemas.items()):
            aws.schemas.Schema(
                f"{name}-{event}",
                name=event,
                registry_name=self.registry_name,
                type="JSONSchemaDraft4",
                content=json.dumps(_envelope(event, schema), sort_keys=True),
                description=schema.get("description"),
                opts=self.child(),
            )
        self.publish({"registry_name": self.registry_name})


def _envelope(event: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the event as EventBridge delivers it, around that of its data."""
    source, _, detail_type = event.partition("@")
    data = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": detail_type,
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "x-amazon-events-source": source,
        "x-amazon-events-detail-type": detail_type,
        "properties": {
            "source": {"type": "string", "enum": [source]},
            "detail-type": {"type": "string", "enum": [detail_type]},
            "detail": {
                "type": "object",
                "required": ["metadata", "data"],
                "properties": {
                    "metadata": {
                        "type": "object",
                        "required": ["idempotency-key"],
                        "properties": {"idempotency-key": {"type": "string", "minLength": 1}},
                    },
                    "data": data,
                },
            },
        },
    }
