"""Whole runs over a journal that is cut off at every byte of its last record, whichever record that is.

A run dies once for each record that can stand last. Then, for every length that this record may have, what the run
left is put back and the replay is run again: `make soak` takes every byte, `make test` every twentieth.

Records that are synced before the run goes on (header, carried, sending) are cut off after it went on, too: no disk
that keeps its word does that, and still nothing may be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ops.actions.replay.journal import Record
from tests.emulator import Account, running_emulator
from tests.faults.killed import HOLD_SECONDS, Death, Killed
from tests.ops.scene import Scene

_SOME = 40
_HELD = 200


@pytest.fixture(scope="module")
def keeping_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_emulator(tmp_path_factory.mktemp("keeping"), module="tests.faults.keeping_server") as url:
        yield url


@pytest.fixture
def account(keeping_server: str) -> Account:
    """Of the server that puts queues back."""
    return Account(keeping_server)


def _deaths(*, fifo: bool) -> Iterator[Death]:
    call = 3 if fifo else 2  # of two messages: the second batch, or in a FIFO queue the third request of the first
    sending = Death(Record.SENDING, "SendMessageBatch", call)
    sending_acted = Death(Record.SENDING, "SendMessageBatch", call, acted=True, synced=True)
    sent = Death(Record.SENT, "DeleteMessageBatch", 2)
    yield sending
    yield sending_acted
    yield sent
    yield replace(sent, acted=True)
    yield Death(Record.HEADER, "ReceiveMessage")
    yield Death(Record.HEADER, "ReceiveMessage", acted=True, synced=True)
    yield Death(Record.DELETED, "ReceiveMessage", 2, acted=True)
    if fifo:  # the last request of the batch is refused, and then the others are deleted
        yield Death(Record.REFUSED, "DeleteMessageBatch", refused=(8, 9))
    else:  # the second batch is refused, and given back when the run ends
        yield Death(Record.REFUSED, "ChangeMessageVisibilityBatch", refused=(10, 11))
    # The first request of a run that takes over gives back what the other one held.
    yield Death(Record.HEADER, "ChangeMessageVisibilityBatch", after=sending_acted, old_journal=True)
    yield Death(Record.CARRIED, "ChangeMessageVisibilityBatch", after=sending_acted, old_journal=True)
    yield Death(Record.CARRIED, "ReceiveMessage", acted=True, after=sent, synced=True)
    yield Death(Record.CLOSED, call=2)


_DEATHS = [
    pytest.param(death, fifo, id=f"{'fifo' if fifo else 'standard'}-{death}")
    for fifo in (False, True)
    for death in _deaths(fifo=fifo)
]


def test_every_record_stands_last() -> None:
    for fifo in (False, True):
        assert {death.last for death in _deaths(fifo=fifo)} == set(Record)


@pytest.mark.parametrize(("death", "fifo"), _DEATHS)
def test_cut_off_at_some_bytes_nothing_is_lost(scene: Scene, death: Death, fifo: bool) -> None:
    killed = Killed(scene, death, fifo=fifo)
    ends = {0, 1, killed.last_bytes - 1, killed.last_bytes}
    for length in sorted(ends | set(range(0, killed.last_bytes, _SOME))):
        _run_again(killed, length)


@pytest.mark.soak
@pytest.mark.parametrize(("death", "fifo"), _DEATHS)
def test_cut_off_at_every_byte_nothing_is_lost(scene: Scene, death: Death, fifo: bool) -> None:
    killed = Killed(scene, death, fifo=fifo)
    for length in range(killed.last_bytes + 1):
        _run_again(killed, length)


def _run_again(killed: Killed, length: int) -> None:
    """Mostly when the dead run holds nothing any more; now and then just before, so that it is waited for."""
    killed.run_again(length, HOLD_SECONDS - 0.1 if length % _HELD == 0 else HOLD_SECONDS)
