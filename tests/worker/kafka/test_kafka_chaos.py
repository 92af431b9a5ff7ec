"""10,000 records, workers that are killed, come and go: every effect once, in order per key, none lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.kafka.support import Cluster, Group, KafkaWorker, wait_for

RECORDS = 10_000
KEYS = 200
KILLS = 5


@pytest.mark.timeout(600)
def test_kills_a_new_worker_and_one_that_leaves(cluster: Cluster, account: Account, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    group = Group(cluster, account, tmp_path, LOG_LEVEL="WARNING")
    moments = sorted(chance.sample(range(200, RECORDS - 1_000), KILLS))
    cluster.put_numbers(0, RECORDS // 2, keys=KEYS)
    workers: list[KafkaWorker] = [group.start() for _ in range(3)]
    everybody = [*workers]
    try:
        group.wait_for_effects(100)
        cluster.put_numbers(RECORDS // 2, RECORDS, keys=KEYS)
        for number, effects in enumerate(moments):
            group.wait_for_effects(effects, 200)
            victim = workers.pop(chance.randrange(len(workers)))
            victim.kill()
            workers.append(group.start())
            everybody.append(workers[-1])
            if number == 1:
                workers.append(group.start())
                everybody.append(workers[-1])
            if number == 3:
                assert workers.pop(0).stop() == 0
        group.wait_for_effects(RECORDS, 300)
        wait_for("the last commit", lambda: group.lag() == 0, 60)
        for worker in workers:
            assert worker.stop() == 0, worker.text()
    finally:
        for worker in everybody:
            worker.kill()

    assert group.effects() == {f"k{n}" for n in range(RECORDS)}, f"lost; seed {seed}"
    again = {key: count for key, count in group.attempts().items() if count > 1}
    # A killed worker's handlers may have been anywhere: it handles four records at a time.
    assert len(again) <= KILLS * 4, f"handled twice: {again}; seed {seed}"
    for key, numbers in group.order().items():
        first = list(dict.fromkeys(numbers))
        assert first == sorted(first), f"{key} is out of order: {numbers}; seed {seed}"
    assert group.letters() == []
    assert cluster.dead_letters() == []
