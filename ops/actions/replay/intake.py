"""Looks at what was received: what is to be sent, what only has to be deleted, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.actions.replay.journal import Stage
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.selection import NotDecidableError
from ops.actions.replay.state import RunState
from ops.errors import OpsError

__all__ = ["MOST_HELD", "Intake", "take_in"]

MOST_HELD = 100_000
"""SQS lets 120,000 messages of a queue be in flight (SQS developer guide, "Message quotas")."""


@dataclass
class Intake:
    """A received batch, as far as this run is concerned with it.

    Attributes:
        groups: what is to be sent, per group in order.
        sent_before: what was sent already, and only has to be deleted.
        counted: how many of the batch belong to the snapshot.
        taken: how many of it this run takes, as its pace counts.
    """

    groups: dict[str, list[DeadLetter]] = field(default_factory=dict)
    sent_before: list[DeadLetter] = field(default_factory=list)
    counted: int = 0
    taken: int = 0


def take_in(state: RunState, received: Iterable[DeadLetter]) -> Intake:
    """Sort a received batch. Everything in it is in hand afterwards.

    What is not selected stays in hand until the run ends: given back at once it would be received again and again. On
    a FIFO queue it ends its group, because what stands behind it must not overtake it.

    Raises:
        OpsError: so much is in hand that SQS would soon refuse to hand out more.
    """
    intake = Intake()
    ended: set[str] = set()
    for message in received:
        group = (message.group or message.id) if state.dlq.fifo else message.id
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
            _met(state, message)
        elif message.sent_ms > state.dlq.read_at_ms:
            if state.selection.everything or _selected(state, message, quietly=True):
                state.tally.come_late()
            ended.add(group)
        elif group in ended:
            continue
        elif not _selected(state, message):
            intake.counted += 1
            message.forget_content()
            ended.add(group)
        elif not state.quota.take():
            ended.add(group)
        else:
            intake.groups.setdefault(group, []).append(message)
            intake.counted += 1
    intake.taken = sum(map(len, intake.groups.values())) + len(intake.sent_before)
    if state.quota.used_up:
        _end(state)
    if state.hand.messages > MOST_HELD:
        raise OpsError(
            f"stopped looking: {state.hand.messages} messages that are not taken are held back, and SQS hands out "
            f"120,000 at most"
        )
    return intake


def _selected(state: RunState, message: DeadLetter, *, quietly: bool = False) -> bool:
    """Whether the run takes this message; unless `quietly`, the tally is told why not."""
    _met(state, message)
    try:
        reason = state.selection.leaves_out(message)
    except NotDecidableError as error:
        if not quietly:
            state.tally.skip(str(error))
        return False
    if reason and not quietly:
        state.tally.leave_out(reason)
    return not reason


def _met(state: RunState, message: DeadLetter) -> None:
    if state.selection.ids:
        state.awaited.discard(message.id)
        if not state.awaited:
            _end(state)


def _end(state: RunState) -> None:
    state.satisfied = True
    state.snapshot.close()
