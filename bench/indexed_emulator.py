"""`python -m bench.indexed_emulator --port PORT --home FOLDER`: the embedded AWS, with queues that do not slow down.

The embedded AWS scans a queue for each receive and for each deleted message, so that its time per message grows with
the depth of the queue: with thousands of messages it is the server that is measured, whoever the client is. SQS does
not do that. Here a standard queue without a redrive policy keeps what is visible in a line and finds a message by its
receipt handle; everything else is the embedded AWS unchanged.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Messages", "install", "main"]

Message = dict[str, Any]

_INVALID = "The input receipt handle is invalid."


class Messages:
    """What MiniStack keeps in a list, as far as it uses that list: append, clear, iteration and length."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._all: dict[int, Message] = {id(message): message for message in messages}
        self._line: deque[Message] = deque(self._all.values())
        self._by_receipt = {one["receipt_handle"]: one for one in self if one["receipt_handle"]}

    def __iter__(self) -> Iterator[Message]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def append(self, message: Message) -> None:
        self._all[id(message)] = message
        self._line.append(message)

    def clear(self) -> None:
        self._all.clear()
        self._line.clear()
        self._by_receipt.clear()

    def take(self, most: int, visibility_seconds: float, now: float) -> list[Message]:
        """Up to `most` visible messages, hidden from now on."""
        if not self._line:
            # What is visible again: its timeout has passed, or somebody has given it back.
            self._line.extend(message for message in self if message["visible_at"] <= now)
        taken: list[Message] = []
        while self._line and len(taken) < most:
            message = self._line.popleft()
            if id(message) in self._all and message["visible_at"] <= now:
                message["receipt_handle"] = str(uuid.uuid4())
                message["visible_at"] = now + visibility_seconds
                message["receive_count"] += 1
                message["first_receive_at"] = message["first_receive_at"] or now
                self._by_receipt[message["receipt_handle"]] = message
                taken.append(message)
        return taken

    def delete(self, receipt: str) -> bool:
        """Whether there was a message with this receipt handle, its latest one."""
        message = self._by_receipt.pop(receipt, None)
        if message is None or message["receipt_handle"] != receipt:
            return False
        return self._all.pop(id(message), None) is not None


def install(sqs: Any) -> None:
    """Put the index into MiniStack's SQS module."""
    scanning_collect, scanning_expire = sqs._collect_msgs, sqs._expire_retained
    scanning_delete, scanning_delete_batch = sqs._HANDLERS["DeleteMessage"], sqs._HANDLERS["DeleteMessageBatch"]

    def index_of(queue: dict[str, Any]) -> Messages | None:
        if queue["is_fifo"] or queue["attributes"].get("RedrivePolicy"):
            if isinstance(queue["messages"], Messages):
                queue["messages"] = list(queue["messages"])
            return None
        if not isinstance(queue["messages"], Messages):
            for message in queue["messages"]:
                sqs._ensure_msg_fields(message)
            queue["messages"] = Messages(queue["messages"])
        index: Messages = queue["messages"]
        return index

    def collect(queue: dict[str, Any], most: int, visibility_seconds: int) -> list[Message]:
        index = index_of(queue)
        if index is None:
            found: list[Message] = scanning_collect(queue, most, visibility_seconds)
            return found
        return index.take(most, visibility_seconds, time.time())

    def delete(data: dict[str, Any], path_url: str) -> Any:
        index = index_of(sqs._get_q(data.get("QueueUrl", path_url), "sqs:DeleteMessage"))
        if index is None:
            return scanning_delete(data, path_url)
        if not index.delete(data.get("ReceiptHandle", "")):
            raise sqs._Err("ReceiptHandleIsInvalid", _INVALID)
        return {}

    def delete_batch(data: dict[str, Any], path_url: str) -> Any:
        index = index_of(sqs._get_q(data.get("QueueUrl", path_url), "sqs:DeleteMessage"))
        if index is None:
            return scanning_delete_batch(data, path_url)
        entries = data.get("Entries", [])
        sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
        answer: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for entry in entries:
            if index.delete(entry.get("ReceiptHandle", "")):
                answer["Successful"].append({"Id": entry["Id"]})
            else:
                refusal = {"Code": "ReceiptHandleIsInvalid", "Message": _INVALID, "SenderFault": True}
                answer["Failed"].append({"Id": entry["Id"], **refusal})
        return answer

    def expire(queue: dict[str, Any]) -> None:
        # No benchmark lasts for a retention period.
        if index_of(queue) is None:
            scanning_expire(queue)

    sqs._collect_msgs = collect
    sqs._expire_retained = expire
    sqs._HANDLERS |= {"DeleteMessage": delete, "DeleteMessageBatch": delete_batch}


def main() -> None:
    """Serve until SIGTERM."""
    from ops.local.server.__main__ import configure_ministack, parse

    settings = parse()
    settings.home.mkdir(parents=True, exist_ok=True)
    configure_ministack(settings)

    # MiniStack reads its environment at import time, and the layer imports MiniStack.
    from ministack.services import sqs

    from ops.local.server.layer import LayerError, install_layer
    from ops.local.server.process_tasks import stop_all_tasks
    from ops.local.server.serving import serve

    try:
        install_layer(settings)
    except LayerError as error:
        sys.exit(f"error: {error}")
    install(sqs)
    serve(settings, stop_all_tasks)


if __name__ == "__main__":
    main()
