"""Kills, a worker that comes and one that leaves: every effect once, in order per key, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.chaos import THREADS, Chaos
from tests.worker.kafka.support import Cluster, Group, wait_for


@pytest.mark.timeout(600)
def test_kills_a_new_worker_and_one_that_leaves(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path, CONCURRENCY=str(THREADS), LOG_LEVEL="WARNING")
    chaos = Chaos(cluster, group)

    chaos.run(finished=lambda: wait_for("the last commit", lambda: group.lag() == 0, 60))

    chaos.check(group.attempts())
    assert group.letters() == []
    assert cluster.dead_letters() == []
