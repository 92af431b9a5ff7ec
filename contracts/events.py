"""The event envelope: one JSON shape from the producer, over EventBridge, to the handler.

EventBridge adds ``id``, ``time``, ``account`` and ``region``; the producer owns the rest::

    {"source": "pizza.service.com", "detail-type": "OrderCreated",
     "detail": {"metadata": {"idempotency-key": "837uy4erje"}, "data": {"region": "AU"}}}

Events of AWS services (source ``aws.…``) have a ``detail`` of their own, which becomes the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import EventError
from contracts.messages import REPLAY

__all__ = ["MAX_ENTRY_BYTES", "Event"]

# PutEvents refuses a larger entry (EventBridge quotas: 1 MiB in total since 2026, counted over the entry's fields).
MAX_ENTRY_BYTES = 1_048_576


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise EventError(f"{path}: expected a non-empty string, got {value!r}")
    return value


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EventError(f"{path}: expected an object, got {type(value).__name__} {value!r:.80}")
    return value


def _replay_for(mark: object) -> str:
    """Anybody may write a field of this name: what does not name an application is for all."""
    application = mark.get("for") if isinstance(mark, Mapping) else None
    return application if isinstance(application, str) else ""


def _service_key(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> object:
    bucket, item = detail.get("bucket"), detail.get("object")
    if envelope.get("source") != "aws.s3" or not isinstance(bucket, Mapping) or not isinstance(item, Mapping):
        return envelope.get("id")
    parts = (bucket.get("name"), item.get("key"), item.get("version-id"), item.get("sequencer"))
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Event:
    """An immutable fact in the past tense.

    Attributes:
        source: the producer, in reverse-domain or service form, e.g. ``pizza.service.com``.
        detail_type: what happened, e.g. ``OrderCreated``.
        idempotency_key: equal for two copies of the same fact; the worker handles each key once.
        data: the fact itself (``detail.data``), validated by the JSON Schema of its ``detail_type``.
        metadata: all of ``detail.metadata``, the key included.
        id: EventBridge's id of this delivery; empty before it was published.
        time: RFC 3339, set by EventBridge; empty before it was published.
        account, region: where it was published; empty before it was published.
        resources: ARNs the event is about.
        replay_for: the one application that a record of a stream was put back for; empty: for all.
    """

    source: str
    detail_type: str
    idempotency_key: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    time: str = ""
    account: str = ""
    region: str = ""
    resources: tuple[str, ...] = ()
    replay_for: str = ""

    @classmethod
    def from_envelope(cls, document: object) -> Event:
        """Read the envelope as EventBridge delivers it (and as `ops send` accepts it: the added fields may be absent).

        An event of an AWS service has no metadata: all of its detail is the data, and the key is EventBridge's id, or,
        of an S3 object, bucket, key, version and sequencer, which are the same in both copies of one notification.

        Raises:
            EventError: names the path and the value that break the contract.
        """
        envelope = _mapping(document, "event")
        detail = _mapping(envelope.get("detail"), "detail")
        if str(envelope.get("source")).startswith("aws.") and "metadata" not in detail:
            detail = {"metadata": {"idempotency-key": _service_key(envelope, detail)}, "data": detail}
        metadata = _mapping(detail.get("metadata"), "detail.metadata")
        return cls(
            source=_text(envelope.get("source"), "source"),
            detail_type=_text(envelope.get("detail-type"), "detail-type"),
            idempotency_key=_text(metadata.get("idempotency-key"), "detail.metadata.idempotency-key"),
            data=_mapping(detail.get("data"), "detail.data"),
            metadata=metadata,
            id=str(envelope.get("id") or ""),
            time=str(envelope.get("time") or ""),
            account=str(envelope.get("account") or ""),
            region=str(envelope.get("region") or ""),
            resources=tuple(str(arn) for arn in envelope.get("resources") or ()),
            replay_for=_replay_for(envelope.get(REPLAY)),
        )

    @classmethod
    def from_json(cls, text: str) -> Event:
        """`from_envelope` of a JSON text; text that is no JSON is an EventError too."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise EventError(f"event: not JSON ({error}): {text[:80]!r}") from error
        return cls.from_envelope(document)

    def detail(self) -> dict[str, Any]:
        """The ``detail`` object as published."""
        metadata = {**self.metadata, "idempotency-key": self.idempotency_key}
        return {"metadata": metadata, "data": dict(self.data)}

    def to_envelope(self) -> dict[str, Any]:
        """The inverse of `from_envelope`; fields that EventBridge adds are present only when set."""
        envelope: dict[str, Any] = {"source": self.source, "detail-type": self.detail_type, "detail": self.detail()}
        for name in ("id", "time", "account", "region"):
            if value := getattr(self, name):
                envelope[name] = value
        if self.resources:
            envelope["resources"] = list(self.resources)
        return envelope

    def to_entry(self, bus_name: str) -> dict[str, Any]:
        """The PutEvents entry for the bus with this name or ARN."""
        return {
            "EventBusName": bus_name,
            "Source": self.source,
            "DetailType": self.detail_type,
            "Detail": json.dumps(self.detail(), ensure_ascii=False),
            "Resources": list(self.resources),
        }
