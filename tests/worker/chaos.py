"""10,000 records, workers that are killed, come and go; and what must be true of their effects afterwards."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Protocol

__all__ = ["KILLS", "THREADS", "Chaos"]

RECORDS = 10_000
KEYS = 200
KILLS = 5
THREADS = 4
"""Of each worker: as many records are in its hands when it is killed, at most."""


class Source(Protocol):
    """Where the records come from."""

    def put_numbers(self, first: int, last: int, keys: int) -> None: ...


class Worker(Protocol):
    """One process."""

    def stop(self) -> int: ...

    def kill(self) -> None: ...

    def text(self) -> str: ...


class Consumers(Protocol):
    """Workers that share the source, and the trace of all of them."""

    def start(self) -> Worker: ...

    def wait_for_effects(self, number: int, seconds: float) -> None: ...

    def effects(self) -> set[str]: ...

    def order(self) -> dict[str, list[int]]: ...


class Chaos:
    """Chance decides when, and who.

    Args:
        source: empty.
        consumers: with `THREADS` threads each, none started.
    """

    def __init__(self, source: Source, consumers: Consumers) -> None:
        self._source = source
        self._consumers = consumers
        self._seed = random.randrange(2**32)

    def run(self, finished: Callable[[], object] = lambda: None) -> None:
        """Three workers; `KILLS` are killed and replaced, one more comes, one leaves.

        Args:
            finished: waits for what follows the last effect, before the workers are stopped.
        """
        chance = random.Random(self._seed)
        source, consumers = self._source, self._consumers
        moments = sorted(chance.sample(range(200, RECORDS - 1_000), KILLS))
        source.put_numbers(0, RECORDS // 2, keys=KEYS)
        everybody = [consumers.start() for _ in range(3)]
        workers = [*everybody]

        def come() -> None:
            workers.append(consumers.start())
            everybody.append(workers[-1])

        try:
            consumers.wait_for_effects(100, 40)
            source.put_numbers(RECORDS // 2, RECORDS, keys=KEYS)
            for number, effects in enumerate(moments):
                consumers.wait_for_effects(effects, 200)
                workers.pop(chance.randrange(len(workers))).kill()
                come()
                if number == 1:
                    come()
                if number == 3:
                    assert workers.pop(0).stop() == 0
            consumers.wait_for_effects(RECORDS, 300)
            finished()
            for worker in workers:
                assert worker.stop() == 0, worker.text()
        finally:
            for worker in everybody:
                worker.kill()

    def check(self, handled: Counter[str]) -> None:
        """None is lost, few were handled twice, and each key's came in order.

        Args:
            handled: key of a record → how often.
        """
        seed = self._seed
        assert self._consumers.effects() == {f"k{n}" for n in range(RECORDS)}, f"lost; seed {seed}"
        # A kill repeats what was in the worker's hands, and nothing else: never more than its threads.
        again = {key: count for key, count in handled.items() if count > 1}
        assert len(again) <= KILLS * THREADS, f"handled twice: {again}; seed {seed}"
        order = self._consumers.order()
        assert len(order) == KEYS
        for key, numbers in order.items():
            first = list(dict.fromkeys(numbers))
            assert first == sorted(first), f"{key} is out of order: {numbers}; seed {seed}"
