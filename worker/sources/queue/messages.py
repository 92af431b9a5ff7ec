"""A received SQS message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

__all__ = ["Message"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Message:
    """One receive of a message. Two receives of the same message are different objects: only the later handle is good.

    Attributes:
        id: SQS's id, the same for every receive.
        body: what the producer sent.
        receipt_handle: names this receive.
        receive_count: 1 for the first receive.
        group: MessageGroupId. On a FIFO queue it means order; on a standard queue, fairness between tenants.
        attributes: the user's message attributes, as SQS gave them.
        trace_header: AWSTraceHeader, for X-Ray.
    """

    id: str
    body: str
    receipt_handle: str
    receive_count: int = 1
    group: str | None = None
    attributes: Mapping[str, Any]
    trace_header: str | None = None

    @classmethod
    def from_sqs(cls, document: MessageTypeDef) -> Message:
        """Read one entry of ReceiveMessage's answer."""
        system = document.get("Attributes", {})
        return cls(
            id=document["MessageId"],
            body=document["Body"],
            receipt_handle=document["ReceiptHandle"],
            receive_count=int(system.get("ApproximateReceiveCount", "1")),
            group=system.get("MessageGroupId"),
            attributes=document.get("MessageAttributes", {}),
            trace_header=system.get("AWSTraceHeader"),
        )
