"""Sends batches, and knows of every message whether the destination took it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.actions.replay.batching import batches
from ops.actions.replay.destinations.base import Delivery, Destination
from ops.actions.replay.destinations.sqs import SqsQueue
from ops.actions.replay.journal import Journal, OpenEntry
from ops.actions.replay.messages import DeadLetter, deduplication_id
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.tally import Tally
from ops.errors import explain
from ops.faults import Fault, classify, may_have_acted

__all__ = ["Letter", "Sender", "Sent"]

Letter = tuple[DeadLetter, Delivery]


@dataclass
class Sent:
    """What became of the messages of one call.

    Attributes:
        confirmed: the destination has them.
        failed: it does not, or nobody knows; with the reason.
        interrupted: not tried to the end, because the run was halted.
    """

    confirmed: list[DeadLetter] = field(default_factory=list)
    failed: list[tuple[DeadLetter, str]] = field(default_factory=list)
    interrupted: list[DeadLetter] = field(default_factory=list)


class Sender:
    """Shared by all lanes.

    Args:
        journal: told before and after each batch.
        run_id: this run.
        unknown: message id → what an interrupted run was sending when it was killed.
        backoff: for what fails for a passing reason.
        halt: stops retrying.
        tally: counts possible duplicates.
        copying: the messages stay, and may be sent again on purpose.
        one_destination: all messages go to one place, so that a run whose destination cannot be used is over.

    Attributes:
        fatal: why the run must end; None while it can go on.
    """

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        unknown: Mapping[str, OpenEntry],
        backoff: Backoff,
        halt: threading.Event,
        tally: Tally,
        *,
        copying: bool = False,
        one_destination: bool = False,
    ) -> None:
        self.fatal: Exception | None = None
        self._copying = copying
        self._one_destination = one_destination
        self._journal = journal
        self._run_id = run_id
        self._unknown = unknown
        self._backoff = backoff
        self._halt = halt
        self._tally = tally
        self._unusable: dict[Destination[Any], str] = {}

    def send(self, letters: Sequence[Letter]) -> Sent:
        """Send to each one's destination, in the given order per destination."""
        by_destination: dict[Destination[Any], list[Letter]] = {}
        for letter in letters:
            by_destination.setdefault(letter[1].destination, []).append(letter)
        sent = Sent()
        for destination, group in by_destination.items():
            most = destination.max_bytes, destination.max_entries
            for batch in batches(group, lambda letter: letter[1].bytes, *most):
                self._send_batch(destination, batch, sent)
        return sent

    def _send_batch(self, destination: Destination[Any], batch: list[Letter], sent: Sent) -> None:
        if reason := self._unusable.get(destination):
            sent.failed += [(message, reason) for message, _ in batch]
            return
        if self._halt.is_set():
            sent.interrupted += [message for message, _ in batch]
            return
        try:
            self._journal.sending({message.id: message.receipt for message, _ in batch})
        except OSError as error:
            self.fatal = error
            sent.interrupted += [message for message, _ in batch]
            return
        ambiguous = {message.id for message, _ in batch if message.id in self._unknown}
        confirmed: list[DeadLetter] = []
        pending = batch
        for attempt in range(1, self._backoff.attempts + 1):
            again, reason, refused = self._attempt(destination, pending, ambiguous, confirmed)
            sent.failed += refused
            self._not_taken([message for message, _ in refused], ambiguous)
            pending = again
            if not pending:
                break
            if attempt == self._backoff.attempts:
                sent.failed += [(message, reason) for message, _ in pending]
                self._not_taken([message for message, _ in pending], ambiguous)
            elif not self._backoff.pause(attempt):
                sent.interrupted += [message for message, _ in pending]
                self._not_taken([message for message, _ in pending], ambiguous)
                break
        self._count_duplicates(batch, ambiguous)
        if confirmed:
            self._journal.sent([message.id for message in confirmed])
            self._tally.sent_to(destination.name, len(confirmed))
            sent.confirmed += confirmed

    def _attempt(
        self, destination: Destination[Any], batch: list[Letter], ambiguous: set[str], confirmed: list[DeadLetter]
    ) -> tuple[list[Letter], str, list[tuple[DeadLetter, str]]]:
        """One request; returns what to try again and why, and what was refused for good."""
        try:
            answers = destination.send(
                [(self._token(message, destination), delivery.payload) for message, delivery in batch]
            )
        except Exception as error:  # noqa: BLE001 - every error of a destination is classified
            return self._whole_request_failed(destination, batch, error, ambiguous, confirmed)
        again: list[Letter] = []
        refused: list[tuple[DeadLetter, str]] = []
        reason = f"{destination.name} did not answer for this message"
        for letter, answer in zip(batch, answers, strict=True):
            if answer is None:
                ambiguous.add(letter[0].id)
                again.append(letter)
            elif answer.fault is None:
                confirmed.append(letter[0])
            elif answer.fault.worth_retrying:
                again.append(letter)
                reason = answer.reason
            else:
                refused.append((letter[0], answer.reason))
        return again, reason, refused

    def _whole_request_failed(
        self,
        destination: Destination[Any],
        batch: list[Letter],
        error: Exception,
        ambiguous: set[str],
        confirmed: list[DeadLetter],
    ) -> tuple[list[Letter], str, list[tuple[DeadLetter, str]]]:
        fault = classify(error)
        reason = explain(error, f"sending to {destination.name}").message
        if fault.worth_retrying:
            if may_have_acted(error):
                ambiguous.update(message.id for message, _ in batch)
            return batch, reason, []
        if fault is Fault.INVALID and len(batch) > 1:
            # One entry may have spoilt the request, or the batch is too long by the service's count: halve it.
            half = len(batch) // 2
            parts = [self._attempt(destination, part, ambiguous, confirmed) for part in (batch[:half], batch[half:])]
            return parts[0][0] + parts[1][0], parts[1][1] or parts[0][1], parts[0][2] + parts[1][2]
        if fault is not Fault.INVALID:
            self._unusable[destination] = reason
            if self._one_destination or fault in (Fault.EXPIRED, Fault.NO_CREDENTIALS):
                self.fatal = error
        return [], reason, [(message, reason) for message, _ in batch]

    def _not_taken(self, messages: Sequence[DeadLetter], ambiguous: set[str]) -> None:
        """Journal what certainly did not arrive; what may have stays open, for the next run to know."""
        if ids := [message.id for message in messages if message.id not in ambiguous]:
            self._journal.refused(ids)

    def _token(self, message: DeadLetter, destination: Destination[Any]) -> str:
        """The same when this run, or one that continues it, sends the message again."""
        if isinstance(destination, SqsQueue) and not self._copying:
            # A message is moved once, by whatever run: a FIFO queue then knows it even when the journal is lost.
            return deduplication_id(message.id, "moved")
        entry = self._unknown.get(message.id)
        return deduplication_id(message.id, entry.run_id if entry else self._run_id)

    def _count_duplicates(self, batch: Sequence[Letter], ambiguous: set[str]) -> None:
        """A second copy is none where the destination recognises its token, unless the first is too long ago."""
        now = time.time()
        possible = 0
        for message, delivery in batch:
            if message.id in ambiguous:
                entry = self._unknown.get(message.id)
                age = now - entry.at if entry else 0.0
                remembered = delivery.destination.remembers_seconds
                possible += not remembered or age > remembered
        if possible:
            self._tally.may_duplicate(possible)
