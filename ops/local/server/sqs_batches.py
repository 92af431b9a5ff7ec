"""Gap: SendMessageBatch keeps system attributes (the X-Ray trace header) and counts attributes towards its limit.

MiniStack drops ``MessageSystemAttributes`` of a batch, though not of a single message, and counts bodies only.
"""

from __future__ import annotations

import base64
from typing import Any

from ministack.services import sqs

from ops.local.server.settings import ServerSettings

__all__ = ["MAX_BATCH_BYTES", "SEAMS", "install", "message_bytes"]

SEAMS = (
    "services.sqs._Err",
    "services.sqs._HANDLERS",
    "services.sqs._act_send_message",
    "services.sqs._get_q",
    "services.sqs._validate_batch_entries",
)

MAX_BATCH_BYTES = 1_048_576
"""Sum of all messages of a request (SQS API reference, SendMessageBatch)."""


def message_bytes(entry: dict[str, Any]) -> int:
    """Body plus, for each attribute, its name, its type and its value."""
    size = len((entry.get("MessageBody") or "").encode())
    for name, attribute in (entry.get("MessageAttributes") or {}).items():
        value = attribute.get("StringValue")
        binary = attribute.get("BinaryValue") or ""
        size += len(name.encode()) + len(attribute.get("DataType", "").encode())
        size += len(value.encode()) if value is not None else len(base64.b64decode(binary))
    return size


def install(settings: ServerSettings) -> None:
    """Replace the batch by single sends that keep everything."""
    sqs._HANDLERS["SendMessageBatch"] = _send_message_batch


def _send_message_batch(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    url = data.get("QueueUrl", queue_url)
    sqs._get_q(url, "sqs:SendMessage")
    entries = data.get("Entries", [])
    sqs._validate_batch_entries(entries, "SendMessageBatchRequestEntry")
    total = sum(message_bytes(entry) for entry in entries)
    if total > MAX_BATCH_BYTES:
        raise sqs._Err(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {total} bytes.",
        )
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        message = {key: value for key, value in entry.items() if key != "Id"} | {"QueueUrl": url}
        try:
            successful.append({**sqs._act_send_message(message, url), "Id": entry.get("Id", "")})
        except sqs._Err as error:
            failed.append(
                {"Id": entry.get("Id", ""), "Code": error.code, "Message": error.message, "SenderFault": True}
            )
    return {"Successful": successful, "Failed": failed}
