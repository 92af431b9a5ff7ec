"""Sends batches, and knows of every message whether the destination took it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.actions.queues import name_of
from ops.actions.replay.batching import batches
from ops.actions.replay.journal import Journal, OpenEntry
from ops.actions.replay.messages import MAX_BYTES, DeadLetter, Delivery, deduplication_id
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.tally import Tally
from ops.errors import explain
from ops.faults import Fault, classify, classify_code, may_have_acted

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["DEDUPLICATION_SECONDS", "Letter", "Sender", "Sent"]

DEDUPLICATION_SECONDS = 300
"""For how long a FIFO queue recognises a deduplication id (SQS developer guide, "Exactly-once processing")."""

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
        client_for: the client (without retries of its own) for a queue URL.
        journal: told before and after each batch.
        run_id: this run.
        unknown: message id → what an interrupted run was sending when it was killed.
        backoff: for what fails for a passing reason.
        halt: stops retrying.
        tally: counts possible duplicates.
        one_destination: all messages go to one queue, so that a run whose destination cannot be used is over.

    Attributes:
        fatal: why the run must end; None while it can go on.
    """

    def __init__(
        self,
        client_for: Callable[[str], SQSClient],
        journal: Journal,
        run_id: str,
        unknown: Mapping[str, OpenEntry],
        backoff: Backoff,
        halt: threading.Event,
        tally: Tally,
        *,
        one_destination: bool = False,
    ) -> None:
        self.fatal: Exception | None = None
        self._one_destination = one_destination
        self._client_for = client_for
        self._journal = journal
        self._run_id = run_id
        self._unknown = unknown
        self._backoff = backoff
        self._halt = halt
        self._tally = tally
        self._unusable: dict[str, str] = {}

    def send(self, letters: Sequence[Letter]) -> Sent:
        """Send to each one's destination, in the given order per destination."""
        by_url: dict[str, list[Letter]] = {}
        for letter in letters:
            by_url.setdefault(letter[1].url, []).append(letter)
        sent = Sent()
        for url, group in by_url.items():
            for batch in batches(group, lambda letter: letter[1].bytes, MAX_BYTES):
                self._send_batch(url, batch, sent)
        return sent

    def _send_batch(self, url: str, batch: list[Letter], sent: Sent) -> None:
        if reason := self._unusable.get(url):
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
            again, reason, refused = self._attempt(url, pending, ambiguous, confirmed)
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
            self._tally.sent_to(url, len(confirmed))
            sent.confirmed += confirmed

    def _attempt(
        self, url: str, batch: list[Letter], ambiguous: set[str], confirmed: list[DeadLetter]
    ) -> tuple[list[Letter], str, list[tuple[DeadLetter, str]]]:
        """One request; returns what to try again and why, and what was refused for good."""
        entries = [delivery.entry(str(n), self._deduplication(message)) for n, (message, delivery) in enumerate(batch)]
        try:
            answer = self._client_for(url).send_message_batch(QueueUrl=url, Entries=entries)
        except Exception as error:  # noqa: BLE001 - every boto3 error is classified
            return self._whole_request_failed(url, batch, error, ambiguous, confirmed)
        answered: set[int] = set()
        for success in answer.get("Successful", []):
            answered.add(int(success["Id"]))
            confirmed.append(batch[int(success["Id"])][0])
        again: list[Letter] = []
        refused: list[tuple[DeadLetter, str]] = []
        reason = "the queue did not answer for this message"
        for failure in answer.get("Failed", []):
            number = int(failure["Id"])
            answered.add(number)
            sentence = f"{name_of(url)} refused it: {failure['Code']} {failure.get('Message', '')}".strip()
            fault = classify_code(failure["Code"], 400 if failure.get("SenderFault") else 500)
            if fault.worth_retrying:
                again.append(batch[number])
                reason = sentence
            else:
                refused.append((batch[number][0], sentence))
        for number, letter in enumerate(batch):
            if number not in answered:
                ambiguous.add(letter[0].id)
                again.append(letter)
        return again, reason, refused

    def _whole_request_failed(
        self, url: str, batch: list[Letter], error: Exception, ambiguous: set[str], confirmed: list[DeadLetter]
    ) -> tuple[list[Letter], str, list[tuple[DeadLetter, str]]]:
        fault = classify(error)
        reason = explain(error, f"sending to {name_of(url)}").message
        if fault.worth_retrying:
            if may_have_acted(error):
                ambiguous.update(message.id for message, _ in batch)
            return batch, reason, []
        if fault is Fault.INVALID and len(batch) > 1:
            # One entry may have spoilt the request, or the batch is too long by the service's count: halve it.
            half = len(batch) // 2
            parts = [self._attempt(url, part, ambiguous, confirmed) for part in (batch[:half], batch[half:])]
            return parts[0][0] + parts[1][0], parts[1][1] or parts[0][1], parts[0][2] + parts[1][2]
        if fault is not Fault.INVALID:
            self._unusable[url] = reason
            if self._one_destination or fault in (Fault.EXPIRED, Fault.NO_CREDENTIALS):
                self.fatal = error
        return [], reason, [(message, reason) for message, _ in batch]

    def _not_taken(self, messages: Sequence[DeadLetter], ambiguous: set[str]) -> None:
        """Journal what certainly did not arrive; what may have stays open, for the next run to know."""
        if ids := [message.id for message in messages if message.id not in ambiguous]:
            self._journal.refused(ids)

    def _deduplication(self, message: DeadLetter) -> str:
        entry = self._unknown.get(message.id)
        return deduplication_id(message.id, entry.run_id if entry else self._run_id)

    def _count_duplicates(self, batch: Sequence[Letter], ambiguous: set[str]) -> None:
        """A FIFO queue recognises the second copy by its deduplication id, unless the first attempt is too long ago."""
        now = time.time()
        possible = 0
        for message, delivery in batch:
            if message.id in ambiguous:
                entry = self._unknown.get(message.id)
                age = now - entry.at if entry else 0.0
                possible += not delivery.fifo or age > DEDUPLICATION_SECONDS
        if possible:
            self._tally.may_duplicate(possible)
