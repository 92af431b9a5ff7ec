"""One lane of the client engine: receive, route, send, delete, and again."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.actions.queues import Queue
from ops.actions.replay.deleter import Deleter
from ops.actions.replay.destinations.base import Refusal
from ops.actions.replay.hand import Hand
from ops.actions.replay.journal import OpenEntry, Stage
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.rate import Pace
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.routing import Router
from ops.actions.replay.sender import Letter, Sender
from ops.actions.replay.snapshot import Snapshot
from ops.actions.replay.tally import Tally
from ops.faults import may_have_acted

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["Lane", "RunState"]


@dataclass
class RunState:
    """What the lanes of a run share.

    Attributes:
        dlq: the queue as it was at the start.
        client: for the dead-letter queue, without retries of its own.
        router, deleter, hand, snapshot, pace, tally, backoff: the stations.
        sender: None with a dry run.
        inherited: what interrupted runs left, by message id.
        halt: set when the run must end.
        visibility_timeout_seconds, wait_seconds: of each receive.
        held_until: when the visibility of messages that nobody here knows of is over, seconds since 1970.
        sent: ids sent by this run.
        undeleted: id → message that was sent, and could not be deleted.
    """

    dlq: Queue
    client: SQSClient
    router: Router
    sender: Sender | None
    deleter: Deleter | None
    hand: Hand
    snapshot: Snapshot
    pace: Pace
    tally: Tally
    backoff: Backoff
    inherited: Mapping[str, OpenEntry]
    halt: threading.Event
    visibility_timeout_seconds: int
    wait_seconds: int
    held_until: float = 0.0
    sent: set[str] = field(default_factory=set)
    undeleted: dict[str, str] = field(default_factory=dict)


@dataclass
class _Intake:
    """A received batch: what is to be sent, per group in order, and what only has to be deleted."""

    groups: dict[str, list[DeadLetter]] = field(default_factory=dict)
    sent_before: list[DeadLetter] = field(default_factory=list)
    counted: int = 0


class Lane:
    """Runs in a thread of its own until the snapshot is used up, the queue is empty, or the run is halted.

    On a FIFO queue each request carries at most one message of a group, so that a partly failed batch cannot overtake:
    the group ends with its first failure, and the others go on. SQS itself keeps a group's next messages from other
    lanes while one is in hand.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state

    def run(self) -> None:
        state = self._state
        while not state.halt.is_set():
            wanted = state.snapshot.reserve(state.pace.largest_batch)
            if not wanted:
                return
            if (wait := state.pace.reserve(wanted)) and state.halt.wait(wait):
                state.snapshot.received_nothing(wanted, (0, 0), conclusive=False)
                return
            mark = state.snapshot.poll_begins()
            try:
                received = self._receive(wanted)
            except BaseException:
                state.snapshot.received_nothing(wanted, mark, conclusive=False)
                raise
            state.pace.give_back(wanted - len(received))
            if not received:
                state.snapshot.received_nothing(wanted, mark, conclusive=time.time() > state.held_until)
                continue
            intake = self._take_in(received)
            state.snapshot.received(wanted, min(wanted, intake.counted))
            try:
                self._work(intake)
            finally:
                state.snapshot.finished()
            if state.sender and state.sender.fatal:
                raise state.sender.fatal

    def _receive(self, wanted: int) -> list[DeadLetter]:
        state = self._state
        request: dict[str, Any] = {
            "QueueUrl": state.dlq.url,
            "MaxNumberOfMessages": wanted,
            "VisibilityTimeout": state.visibility_timeout_seconds,
            "WaitTimeSeconds": state.wait_seconds,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        }
        if state.dlq.fifo:
            # A repeated attempt with the same id gets the messages that a lost answer carried.
            request["ReceiveRequestAttemptId"] = uuid.uuid4().hex

        def note(error: BaseException) -> None:
            if may_have_acted(error):
                # The lost answer may have carried messages: they come back when their visibility is over.
                state.held_until = max(state.held_until, time.time() + state.visibility_timeout_seconds)

        begun = time.monotonic()
        answer = state.backoff.call(lambda: state.client.receive_message(**request), note)
        expires_at = begun + state.visibility_timeout_seconds
        return [DeadLetter.from_sqs(message, expires_at) for message in answer.get("Messages", [])]

    def _take_in(self, received: Iterable[DeadLetter]) -> _Intake:
        state = self._state
        intake = _Intake()
        ended: set[str] = set()
        for message in received:
            group = self._group(message)
            entry = state.inherited.get(message.id)
            if message.id in state.sent:
                # Sent by this run, and back because its delete failed or its visibility lapsed: never send it twice.
                state.hand.take(message)
                intake.sent_before.append(message)
            elif not state.hand.take(message):
                continue
            elif entry is not None and entry.stage is Stage.SENT:
                intake.sent_before.append(message)
                intake.counted += 1
            elif message.sent_ms > state.dlq.read_at_ms:
                state.tally.come_late()
                ended.add(group)
            elif group not in ended:
                intake.groups.setdefault(group, []).append(message)
                intake.counted += 1
        return intake

    def _group(self, message: DeadLetter) -> str:
        return (message.group or message.id) if self._state.dlq.fifo else message.id

    def _work(self, intake: _Intake) -> None:
        state = self._state
        queues = [list(reversed(group)) for group in intake.groups.values()]
        done: list[DeadLetter] = []
        try:
            while queues and not state.halt.is_set():
                heads = [(queue, queue.pop()) for queue in queues if queue]
                stopped = self._send_wave([head for _, head in heads], done)
                queues = [queue for queue, head in heads if queue and head.id not in stopped]
        finally:
            self._delete(done, intake.sent_before)

    def _send_wave(self, heads: Iterable[DeadLetter], done: list[DeadLetter]) -> set[str]:
        """Send one message per group; add what was confirmed to `done`; return the ids whose groups end here."""
        state = self._state
        stopped: set[str] = set()
        letters: list[Letter] = []
        for message in heads:
            found = state.router.route(message)
            if isinstance(found, Refusal):
                stopped.add(message.id)
                note: Callable[[str], None] = state.tally.fail if found.failed else state.tally.skip
                note(found.reason)
            elif state.sender is None:
                state.tally.sent_to(found.destination.name, 1)
            else:
                letters.append((message, found))
        if state.sender is not None and letters:
            result = state.sender.send(letters)
            state.sent.update(message.id for message in result.confirmed)
            done += result.confirmed
            for message, reason in result.failed:
                stopped.add(message.id)
                state.tally.fail(reason)
            stopped.update(message.id for message in result.interrupted)
        return stopped

    def _delete(self, sent_now: list[DeadLetter], sent_before: list[DeadLetter]) -> None:
        state = self._state
        if state.deleter is None or not (sent_now or sent_before):
            return
        deleted = state.deleter.delete([*sent_before, *sent_now])
        gone = {message.id for message in deleted.gone}
        state.hand.drop(gone)
        # SQS may deliver a message again that this run has deleted: it has been counted then.
        counted_before = {message.id for message in sent_before if message.id in state.sent} - state.undeleted.keys()
        recovered = sum(message.id in gone and message.id not in state.sent for message in sent_before)
        for message_id in gone:
            state.undeleted.pop(message_id, None)
        state.undeleted.update((message.id, reason) for message, reason in deleted.kept)
        state.tally.move(len(gone - counted_before), recovered)
