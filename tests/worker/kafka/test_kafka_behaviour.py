"""The source `kafka` as a process, on librdkafka's mock cluster."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import Account
from tests.worker.kafka.support import Cluster, Group


def test_records_are_handled_once_in_order_and_committed(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    group = Group(cluster, account, tmp_path)
    cluster.put_numbers(0, 100, keys=10)
    with group.worker() as worker:
        group.wait_for_effects(100)
    assert worker.outcomes() == {"handled": 100}
    assert group.attempts() == {f"k{n}": 1 for n in range(100)}
    assert group.order() == {f"g{k}": list(range(k, 100, 10)) for k in range(10)}
    assert group.lag() == 0
