"""Order per key and a truthful checkpoint, for any keys and any failures."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.sources.stream.lanes import Lanes, Work
from worker.sources.stream.progress import Progress
from worker.sources.stream.records import Record


def record(number: int, key: str = "k", age_seconds: float = 0) -> Record:
    arrived_at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    return Record(sequence_number=str(number), partition_key=key, data=b"{}", arrived_at=arrived_at)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


steps = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["settle", "retry", "time"])), max_size=60)


@given(keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=20), steps=steps, threads=st.integers(1, 4))
def test_keys_keep_their_order_and_the_checkpoint_never_runs_ahead(
    keys: list[str], steps: list[tuple[int, str]], threads: int
) -> None:
    clock = Clock()
    lanes: Lanes[str] = Lanes(clock)
    progress = Progress("0")
    records = [record(number + 1, key) for number, key in enumerate(keys)]
    progress.add(records)
    lanes.add("shard", records)
    taken: list[Work[str]] = []
    done: dict[str, list[int]] = defaultdict(list)
    waiting = 0

    def take_all() -> None:
        nonlocal waiting
        # take() blocks when nothing is ready: what is neither settled, taken nor put off is ready for one key each.
        open_keys = {work.record.partition_key for work in taken}
        ready = {key for key in keys if len(done[key]) < keys.count(key)} - open_keys - put_off.keys()
        while ready and len(taken) < threads:
            work = lanes.take()
            assert work is not None
            assert work.record.partition_key in ready, "two of one key at a time, or one too early"
            ready.discard(work.record.partition_key)
            taken.append(work)

    put_off: dict[str, float] = {}
    for choice, what in [*steps, *([(0, "settle"), (0, "time")] * (2 * len(keys)))]:
        if what == "time":
            clock.now += 1.0
            put_off = {key: until for key, until in put_off.items() if until > clock.now}
        take_all()
        if taken and what != "time":
            work = taken.pop(choice % len(taken))
            key = work.record.partition_key
            if what == "retry":
                put_off[key] = clock.now + 1.0
                lanes.put_off(work, 1.0)
            else:
                done[key].append(int(work.record.sequence_number))
                progress.settle(work.record)
                lanes.finish(work)
        settled = {number for numbers in done.values() for number in numbers}
        checkpoint = int(progress.reached()[0])
        assert set(range(1, checkpoint + 1)) <= settled
        assert checkpoint + 1 not in settled
    assert {key: numbers for key, numbers in done.items() if numbers} == {
        key: [n + 1 for n, other in enumerate(keys) if other == key] for key in set(keys)
    }
    assert (progress.empty, lanes.busy, lanes.in_hand("shard")) == (True, 0, False)


def test_what_was_dropped_is_not_begun_and_what_was_begun_may_finish() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.add("mine", [record(1, "a"), record(2, "a"), record(3, "b")])
    begun = lanes.take()
    assert begun is not None
    lanes.drop("mine")
    lanes.add("mine", [record(4, "c")])  # the reader was in the middle of it
    assert lanes.in_hand("mine")
    lanes.finish(begun)
    assert not lanes.in_hand("mine")
    lanes.add("other", [record(1, "a")])
    following = lanes.take()
    assert following is not None
    assert following.owner == "other"


def test_a_failed_record_of_a_dropped_shard_does_not_come_again() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.add("mine", [record(1)])
    begun = lanes.take()
    assert begun is not None
    lanes.drop("mine")
    lanes.put_off(begun, 0.0)
    assert not lanes.in_hand("mine")


def test_a_waiting_thread_wakes_when_a_retry_is_due_and_when_the_lanes_close() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.add("mine", [record(1)])
    work = lanes.take()
    assert work is not None
    lanes.put_off(work, 0.05)
    assert lanes.take() is work
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(lanes.take()))
    thread.start()
    lanes.close()
    thread.join(20)
    assert got == [None]


def test_there_is_room_again_when_half_of_the_window_is_settled() -> None:
    progress = Progress("0")
    records = [record(n) for n in range(1, 5)]
    assert progress.wait_for_room(4, 0, until_written=False) == 4
    progress.add(records)
    assert progress.wait_for_room(4, 0, until_written=False) == 0
    progress.settle(records[0])
    assert progress.wait_for_room(4, 0, until_written=False) == 0
    progress.settle(records[1])
    assert progress.wait_for_room(4, 0, until_written=False) == 2


def test_after_a_crash_only_what_is_written_makes_room() -> None:
    progress = Progress("0")
    first = record(1)
    progress.add([first])
    progress.settle(first)
    assert progress.dirty
    assert progress.wait_for_room(1, 0, until_written=True) == 0
    progress.written(*progress.reached())
    assert not progress.dirty
    assert progress.wait_for_room(1, 0, until_written=True) == 1


def test_the_oldest_record_in_hand_tells_the_age() -> None:
    progress = Progress("0")
    assert progress.oldest_age_seconds() == 0
    old, new = record(1, age_seconds=60), record(2, "other")
    progress.add([old, new])
    assert 59 < progress.oldest_age_seconds() < 70
    progress.settle(old)
    assert progress.oldest_age_seconds() < 10
