"""10,000 records, workers that are killed, come and go: every effect once, in order per key, none lost."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.stream.support import Application, Stream, StreamWorker

RECORDS = 10_000
KEYS = 200
SHARDS = 4
KILLS = 5
THREADS = 4


@pytest.mark.timeout(600)
def test_kills_a_new_worker_and_one_that_leaves(account: Account, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    stream = Stream(account, shards=SHARDS)
    application = Application(stream, tmp_path, STREAM_BATCH_SIZE="200", CONCURRENCY=str(THREADS), LOG_LEVEL="WARNING")
    moments = sorted(chance.sample(range(200, RECORDS - 1_000), KILLS))
    stream.put_numbers(0, RECORDS // 2, keys=KEYS)
    workers: list[StreamWorker] = [application.start() for _ in range(3)]
    everybody = [*workers]
    try:
        application.wait_for_effects(100)
        stream.put_numbers(RECORDS // 2, RECORDS, keys=KEYS)
        for number, effects in enumerate(moments):
            application.wait_for_effects(effects, 200)
            victim = workers.pop(chance.randrange(len(workers)))
            victim.kill()
            workers.append(application.start())
            everybody.append(workers[-1])
            if number == 1:
                workers.append(application.start())
                everybody.append(workers[-1])
            if number == 3:
                assert workers.pop(0).stop() == 0
        application.wait_for_effects(RECORDS, 300)
        for worker in workers:
            assert worker.stop() == 0, worker.text()
    finally:
        for worker in everybody:
            worker.kill()

    assert application.effects() == {f"k{n}" for n in range(RECORDS)}, f"lost; seed {seed}"
    # A kill between an effect and its record repeats that one call, and nothing else: never more than the threads.
    ends = Counter(call["key"] for call in application.calls("end"))
    repeated = {key: count for key, count in ends.items() if count > 1}
    assert len(repeated) <= KILLS * THREADS, f"handled twice: {repeated}; seed {seed}"
    for group, numbers in application.order().items():
        first = list(dict.fromkeys(numbers))
        assert first == sorted(first), f"{group} is out of order: {numbers}; seed {seed}"
    assert application.dead_letters() == []
    leases = application.leases().values()
    assert len(leases) == SHARDS
    assert all(lease["checkpoint"].isdigit() and not lease["owner"] for lease in leases)
