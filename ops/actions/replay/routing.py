"""Decides for each dead-lettered message where it belongs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from contracts.messages import FAILURE, Failure
from ops.actions.queues import Queue, QueueArn, QueueDirectory, name_of
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.sqs import QueueMessage
from ops.actions.replay.messages import DeadLetter, carried_attributes
from ops.errors import explain

__all__ = ["Resolver", "Router"]

_HOW = "name the destination with --to URL"


class Resolver(Protocol):
    """Knows where messages of one kind belong. Safe for many threads."""

    def resolve(self, message: DeadLetter) -> Delivery | Refusal | None:
        """Where it belongs, or why it cannot go there; None for a message of another kind."""
        ...


class Router:
    """Finds destinations; asks AWS about each only once. Safe for many threads.

    The order: `to`; the resolvers, which know messages by what they carry; the queue named in the worker's `Failure`;
    the queue that SQS dead-lettered it from; the origin in the manifest; the only queue that names this one as its
    dead-letter queue; the last resort.

    Args:
        dlq: the dead-letter queue.
        directory: looks queues up.
        destinations: of the run.
        resolvers: asked in this order.
        last_resort: asked when nothing else tells; None asks nobody.
        to: URL of the one destination, or None.
        manifest_origin: the ARN that the stack published for this queue, or None.
        max_replays: a message replayed this often is refused; 1 or more.
    """

    def __init__(
        self,
        dlq: Queue,
        directory: QueueDirectory,
        destinations: Destinations,
        resolvers: Sequence[Resolver] = (),
        last_resort: Resolver | None = None,
        *,
        to: str | None,
        manifest_origin: str | None,
        max_replays: int,
    ) -> None:
        self._dlq = dlq
        self._directory = directory
        self._destinations = destinations
        self._resolvers = resolvers
        self._last_resort = last_resort
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
        if self._to is not None:
            return self._delivery(message, self._to)
        for resolver in self._resolvers:
            if found := resolver.resolve(message):
                return replace(found, reason=f"{found.reason}; {_HOW}") if isinstance(found, Refusal) else found
        url = self._destination(message)
        if isinstance(url, str):
            return self._delivery(message, url)
        found = self._last_resort.resolve(message) if self._last_resort else None
        if found is None:
            return url
        return replace(found, reason=f"{found.reason}; {_HOW}") if isinstance(found, Refusal) else found

    def _delivery(self, message: DeadLetter, url: str) -> Delivery:
        queue = self._destinations.queue(url)
        payload = QueueMessage(
            body=message.body,
            attributes=carried_attributes(message.attributes, message.replays + 1, message.body),
            # A message without a group has no order to keep: on a FIFO queue it is a group of its own.
            group=message.group or (message.id if queue.fifo else None),
            trace=message.system.get("AWSTraceHeader"),
        )
        return Delivery.to(queue, payload)

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
