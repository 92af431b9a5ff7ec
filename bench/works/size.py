"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Size"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Amounts of one run of the benchmarks.

    Attributes:
        runs: of each contender; the median counts.
        replay_messages: in the dead-letter queue.
        replay_single_messages: the same for contenders with one request in flight.
        replay_slow_messages: and for those where a round trip is added.
        round_trips_ms: injected, where the queues are indexed.
        scanning_round_trips_ms: injected, on the embedded AWS as it is.
        worker_messages: in the queue of a worker that is measured at full speed.
        worker_warm_up: of those, handled before the measurement begins.
        stream_records: in the stream or topic of a consumer that is measured at full speed.
        stream_keyed_records: the same where every key is claimed and completed.
        latency_messages, latency_per_second: sent at this pace for the latency.
        workers: how many queue workers the program has, one size after the other.
    """

    runs: int
    replay_messages: int
    replay_single_messages: int
    replay_slow_messages: int
    round_trips_ms: tuple[float, ...]
    scanning_round_trips_ms: tuple[float, ...]
    worker_messages: int
    worker_warm_up: int
    stream_records: int
    stream_keyed_records: int
    latency_messages: int
    latency_per_second: float
    workers: tuple[int, ...]


FULL = Size(
    runs=5,
    replay_messages=10_000,
    replay_single_messages=2_000,
    replay_slow_messages=500,
    round_trips_ms=(0, 10, 40),
    scanning_round_trips_ms=(0, 10),
    worker_messages=3_000,
    worker_warm_up=200,
    stream_records=20_000,
    stream_keyed_records=2_000,
    latency_messages=200,
    latency_per_second=100,
    workers=(1, 20, 100),
)

QUICK = Size(
    runs=1,
    replay_messages=200,
    replay_single_messages=200,
    replay_slow_messages=100,
    round_trips_ms=(0, 10),
    scanning_round_trips_ms=(0,),
    worker_messages=200,
    worker_warm_up=20,
    stream_records=1_000,
    stream_keyed_records=100,
    latency_messages=20,
    latency_per_second=50,
    workers=(1,),
)
