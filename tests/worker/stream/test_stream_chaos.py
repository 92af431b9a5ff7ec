"""Kills, a worker that comes and one that leaves: every effect once, in order per key, none lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.chaos import THREADS, Chaos
from tests.worker.stream.support import Application, Stream

SHARDS = 4


@pytest.mark.timeout(600)
def test_kills_a_new_worker_and_one_that_leaves(account: Account, tmp_path: Path) -> None:
    stream = Stream(account, shards=SHARDS)
    application = Application(stream, tmp_path, STREAM_BATCH_SIZE="200", CONCURRENCY=str(THREADS), LOG_LEVEL="WARNING")
    chaos = Chaos(stream, application)

    chaos.run()

    chaos.check(Counter(call["key"] for call in application.calls("end")))
    assert application.dead_letters() == []
    leases = application.leases().values()
    assert len(leases) == SHARDS
    assert all(lease["checkpoint"].isdigit() and not lease["owner"] for lease in leases)
