"""Decides for each dead-lettered message where it belongs."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from contracts.messages import FAILURE, Failure
from ops.actions.queues import Queue, QueueArn, QueueDirectory, name_of
from ops.actions.replay.eventbridge import EventTargets, is_undelivered_event
from ops.actions.replay.messages import DeadLetter, Delivery, carried_attributes
from ops.errors import explain

__all__ = ["Refusal", "Router"]

_HOW = "name the destination with --to URL"


@dataclass(frozen=True)
class Refusal:
    """Why a message stays.

    Attributes:
        reason: a sentence for the operator.
        failed: True when something is broken, False when the message is left on purpose.
    """

    reason: str
    failed: bool = False


class Router:
    """Finds destinations; asks AWS about each only once. Safe for many threads.

    The order: `to`; the queue named in the worker's `Failure`; the queue that SQS dead-lettered it from; the target of
    the rule that EventBridge could not deliver to; the origin in the manifest; the only queue that names this one as
    its dead-letter queue.

    Args:
        dlq: the dead-letter queue.
        directory: looks queues up.
        targets: reads EventBridge's targets.
        to: URL of the one destination, or None.
        manifest_origin: the ARN that the stack published for this queue, or None.
        max_replays: a message replayed this often is refused; 1 or more.
    """

    def __init__(
        self,
        dlq: Queue,
        directory: QueueDirectory,
        targets: EventTargets,
        *,
        to: str | None,
        manifest_origin: str | None,
        max_replays: int,
    ) -> None:
        self._dlq = dlq
        self._directory = directory
        self._targets = targets
        self._to = to
        self._manifest_origin = manifest_origin
        self._max_replays = max_replays
        self._by_arn: dict[str, str | Refusal] = {}
        self._fallback: str | Refusal | None = None
        self._lock = threading.Lock()

    def route(self, message: DeadLetter) -> Delivery | Refusal:
        """Where this message goes, ready to be sent; or why it does not."""
        if message.replays >= self._max_replays:
            return Refusal(
                f"replayed {message.replays} times already and failed again each time; "
                f"fix the cause, then pass --max-replays {message.replays + 1}"
            )
        if self._to is None and is_undelivered_event(message):
            return self._event_delivery(message)
        destination = self._to or self._destination(message)
        if isinstance(destination, Refusal):
            return destination
        return self._delivery(message, destination)

    def _delivery(self, message: DeadLetter, url: str) -> Delivery:
        fifo = name_of(url).endswith(".fifo")
        return Delivery(
            url=url,
            fifo=fifo,
            body=message.body,
            attributes=carried_attributes(message.attributes, message.replays + 1, message.body),
            # A message without a group has no order to keep: on a FIFO queue it is a group of its own.
            group=message.group or (message.id if fifo else None),
            trace=message.system.get("AWSTraceHeader"),
        )

    def _event_delivery(self, message: DeadLetter) -> Delivery | Refusal:
        found = self._targets.resolve(message)
        if isinstance(found, str):
            return Refusal(f"{found}; {_HOW}")
        url = self._url_of(found.queue_arn)
        if isinstance(url, Refusal):
            return url
        fifo = name_of(url).endswith(".fifo")
        return Delivery(
            url=url,
            fifo=fifo,
            body=found.body,
            attributes=carried_attributes({}, message.replays + 1, found.body),
            group=found.group or (message.id if fifo else None),
            trace=message.system.get("AWSTraceHeader"),
        )

    def _destination(self, message: DeadLetter) -> str | Refusal:
        failure = Failure.from_json(message.text_attribute(FAILURE) or "")
        if failure and QueueArn.parse(failure.queue_arn):
            return self._url_of(failure.queue_arn)
        if source := message.system.get("DeadLetterQueueSourceArn"):
            return self._url_of(source)
        with self._lock:
            if self._fallback is None:
                self._fallback = self._find_fallback()
            return self._fallback

    def _find_fallback(self) -> str | Refusal:
        if self._manifest_origin:
            return self._look_up(self._manifest_origin)
        try:
            sources = self._directory.sources_of(self._dlq.url)
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, "looking for the queue it came from").message, failed=True)
        if sources and len(sources) == 1:
            return sources[0]
        if sources:
            names = ", ".join(sorted(name_of(source) for source in sources))
            return Refusal(
                f"it does not say where it came from, and {self._dlq.name} serves several queues ({names}); {_HOW}"
            )
        return Refusal(
            f"it does not say where it came from, and no queue has {self._dlq.name} as its dead-letter queue; {_HOW}"
        )

    def _url_of(self, arn: str) -> str | Refusal:
        with self._lock:
            if arn not in self._by_arn:
                self._by_arn[arn] = self._look_up(arn)
            return self._by_arn[arn]

    def _look_up(self, arn: str) -> str | Refusal:
        parsed = QueueArn.parse(arn)
        if parsed is None:
            return Refusal(f"{arn} is not a queue; {_HOW}")
        if arn == self._dlq.arn:
            return Refusal(f"it names {self._dlq.name} itself as its origin; {_HOW}")
        try:
            return self._directory.url_of(parsed)
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(f"{explain(error, f'its origin {parsed.name}').message}; {_HOW}", failed=True)
