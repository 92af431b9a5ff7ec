"""One lane of the client engine: receive, route, send, delete, and again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.intake import Intake, take_in
from ops.actions.replay.merge_patch import NotEditableError, edited
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.sender import Letter
from ops.actions.replay.state import RunState
from ops.errors import OpsError
from ops.faults import may_have_acted

__all__ = ["Lane"]


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
                state.snapshot.give_back(wanted)
                return
            poll = state.snapshot.poll_begins()
            try:
                received = self._receive(wanted)
            except BaseException:
                state.snapshot.received_nothing(wanted, poll, conclusive=False)
                raise
            if not received:
                state.pace.give_back(wanted)
                state.snapshot.received_nothing(wanted, poll, conclusive=time.time() > state.held_until)
                continue
            try:
                intake = take_in(state, received)
            except BaseException:
                state.snapshot.received_nothing(wanted, poll, conclusive=False)
                raise
            state.pace.give_back(wanted - intake.taken)
            state.snapshot.received(wanted, min(wanted, intake.counted), poll)
            try:
                self._work(intake)
            finally:
                state.snapshot.finished()
            if state.sender and state.sender.fatal:
                raise state.sender.fatal
            if state.max_failures is not None and state.tally.failed >= state.max_failures:
                raise OpsError(f"stopped after {state.tally.failed} failures, as --max-failures says")

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

    def _work(self, intake: Intake) -> None:
        state = self._state
        if state.backup and state.deleter:
            state.backup.write(state.dlq.name, intake.sent_before)
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
            found = self._route(message)
            if isinstance(found, Refusal):
                stopped.add(message.id)
                note: Callable[[str], None] = state.tally.fail if found.failed else state.tally.skip
                note(found.reason)
            elif state.sender is None:
                state.tally.sent_to(found.destination.name, 1)
            else:
                letters.append((message, found))
        if state.sender is not None and letters:
            if state.backup:
                state.backup.write(state.dlq.name, [message for message, _ in letters])
            result = state.sender.send(letters)
            state.sent.update(message.id for message in result.confirmed)
            done += result.confirmed
            for message, reason in result.failed:
                stopped.add(message.id)
                state.tally.fail(reason)
            stopped.update(message.id for message in result.interrupted)
        return stopped

    def _route(self, message: DeadLetter) -> Delivery | Refusal:
        state = self._state
        if state.patch is not None:
            try:
                message = replace(message, body=edited(message.body, state.patch))
            except NotEditableError as error:
                return Refusal(str(error))
        return state.router.route(message)

    def _delete(self, sent_now: list[DeadLetter], sent_before: list[DeadLetter]) -> None:
        state = self._state
        if state.copying and state.sender is not None:
            copied_before = {message.id for message in sent_before} - state.sent
            state.sent |= copied_before
            state.tally.move(len(sent_now) + len(copied_before), len(copied_before))
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
