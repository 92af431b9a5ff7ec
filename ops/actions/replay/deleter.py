"""Deletes what the destination confirmed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.actions.replay.batching import MAX_ENTRIES
from ops.actions.replay.journal import Journal
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.retrying import Backoff
from ops.errors import explain
from ops.faults import classify, classify_code, may_have_acted

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["Deleted", "Deleter"]

_ATTEMPTS = 6


@dataclass
class Deleted:
    """`gone` are deleted; `kept` are still in the queue although they were sent, with the reason."""

    gone: list[DeadLetter] = field(default_factory=list)
    kept: list[tuple[DeadLetter, str]] = field(default_factory=list)


class Deleter:
    """Goes on when the run is halted: what was sent must not stay.

    Args:
        client: without retries of its own.
        queue_url: the dead-letter queue.
        journal: told what is gone.
    """

    def __init__(self, client: SQSClient, queue_url: str, journal: Journal) -> None:
        self._client = client
        self._url = queue_url
        self._journal = journal
        self._backoff = Backoff(threading.Event(), attempts=_ATTEMPTS, longest_seconds=2.0)

    def delete(self, messages: Sequence[DeadLetter]) -> Deleted:
        deleted = Deleted()
        for start in range(0, len(messages), MAX_ENTRIES):
            self._delete_batch(list(messages[start : start + MAX_ENTRIES]), deleted)
        return deleted

    def _delete_batch(self, pending: list[DeadLetter], deleted: Deleted) -> None:
        answer_lost = False
        for attempt in range(1, _ATTEMPTS + 1):
            entries: list[Any] = [{"Id": str(n), "ReceiptHandle": m.receipt} for n, m in enumerate(pending)]
            again: list[DeadLetter] = []
            reason = ""
            try:
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            except Exception as error:  # noqa: BLE001 - every boto3 error is classified
                reason = explain(error, "deleting").message
                if not classify(error).worth_retrying:
                    deleted.kept += [(message, reason) for message in pending]
                    return
                answer_lost = answer_lost or may_have_acted(error)
                again = pending
            else:
                gone = [pending[int(success["Id"])] for success in answer.get("Successful", [])]
                if gone:
                    self._journal.deleted([message.id for message in gone])
                    deleted.gone += gone
                for failure in answer.get("Failed", []):
                    message = pending[int(failure["Id"])]
                    reason = f"{failure['Code']} {failure.get('Message', '')}".strip()
                    if classify_code(failure["Code"], 400 if failure.get("SenderFault") else 500).worth_retrying:
                        again.append(message)
                    elif answer_lost:
                        # Most likely the request whose answer was lost did it. The journal keeps the message as sent,
                        # so that a run that meets it again deletes it and does not send it.
                        deleted.gone.append(message)
                    else:
                        deleted.kept.append((message, reason))
            if not again:
                return
            pending = again
            if attempt < _ATTEMPTS:
                self._backoff.pause(attempt)
        deleted.kept += [(message, reason) for message in pending]
