"""The small parts of the client engine: sizes, batches, pace, snapshot."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import FAILURE, MAX_ATTRIBUTES, REPLAY_COUNT
from ops.actions.replay.append_log import AppendLog
from ops.actions.replay.batching import batches
from ops.actions.replay.crew import Crew
from ops.actions.replay.destinations.sqs import QueueMessage, SqsQueue
from ops.actions.replay.messages import (
    MAX_BYTES,
    DeadLetter,
    carried_attributes,
    deduplication_id,
    size_bytes,
)
from ops.actions.replay.rate import Pace
from ops.actions.replay.snapshot import Snapshot


@given(st.lists(st.integers(1, 120)), st.integers(1, 10), st.integers(100, 300))
def test_batches_keep_everything_in_order_and_within_both_limits(sizes: list[int], most: int, limit: int) -> None:
    made = list(batches(sizes, lambda size: size, limit, most))

    assert [size for batch in made for size in batch] == sizes
    assert all(0 < len(batch) <= most for batch in made)
    assert all(sum(batch) <= limit or len(batch) == 1 for batch in made)
    # Greedy: the first of the next batch would not have fitted.
    for batch, following in itertools.pairwise(made):
        assert len(batch) == most or sum(batch) + following[0] > limit


def test_a_size_counts_names_types_and_values_in_utf8() -> None:
    attributes: dict[str, dict[str, Any]] = {
        "é": {"DataType": "String", "StringValue": "ü"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01\x02"},
    }

    assert size_bytes("ß", attributes) == 2 + (2 + 6 + 2) + (1 + 6 + 3)


_VALUES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda text: {"DataType": "String", "StringValue": text}, st.text(min_size=1)),
    st.builds(lambda raw: {"DataType": "Binary.x", "BinaryValue": raw}, st.binary(min_size=1)),
)


@given(st.dictionaries(st.text("abcdef", min_size=1), _VALUES, max_size=10), st.booleans(), st.integers(1, 9))
def test_the_users_attributes_always_travel_and_ours_give_way(
    users: dict[str, dict[str, Any]], failed: bool, replays: int
) -> None:
    received = dict(users)
    if failed and len(received) < MAX_ATTRIBUTES:
        received[FAILURE] = {"DataType": "String", "StringValue": "{}"}

    sent = carried_attributes(received, replays)

    count = sent.pop(REPLAY_COUNT, None)
    assert sent == users
    assert (count is None) == (len(users) == MAX_ATTRIBUTES)
    if count:
        assert count["StringValue"] == str(replays)


def test_the_count_gives_way_to_a_message_at_the_limit() -> None:
    room = len(REPLAY_COUNT) + len("Number") + 1
    fits, full = "x" * (MAX_BYTES - room), "x" * (MAX_BYTES - room + 1)

    assert REPLAY_COUNT in carried_attributes({}, 1, fits)
    assert REPLAY_COUNT not in carried_attributes({}, 1, full)


@pytest.mark.parametrize(("text", "replays"), [("2", 2), ("x", 0), ("-1", 0), ("²", 0), (None, 0)])
def test_only_a_whole_number_is_a_replay_count(text: str | None, replays: int) -> None:
    attributes = {REPLAY_COUNT: {"DataType": "Number", "StringValue": text}} if text else {}

    assert DeadLetter("id", "r", "", attributes, {}).replays == replays


def test_only_a_fifo_destination_gets_a_deduplication_id() -> None:
    once, again = deduplication_id("m1", "run-1"), deduplication_id("m1", "run-2")

    assert once != again
    client: Any = None
    standard, fifo = SqsQueue(client, "http://localhost/1/q"), SqsQueue(client, "http://localhost/1/q.fifo")
    assert "MessageDeduplicationId" not in standard.entry("0", once, QueueMessage("b"))
    assert fifo.entry("0", once, QueueMessage("b", group="g"))["MessageDeduplicationId"] == once
    assert (standard.remembers_seconds, fifo.remembers_seconds) == (0, 300)


def test_a_pace_spaces_reservations_and_takes_back_what_was_not_used() -> None:
    now = [100.0]
    pace = Pace(10, lambda: now[0])

    assert pace.reserve(10) == 0
    assert pace.reserve(10) == pytest.approx(1)
    pace.give_back(5)
    assert pace.reserve(10) == pytest.approx(1.5)
    now[0] += 60
    assert pace.reserve(1) == 0
    assert pace.reserve(1) == pytest.approx(0.1)


@pytest.mark.parametrize(("rate", "batch"), [(None, 10), (100, 10), (4.5, 4), (0.5, 1)])
def test_a_slow_pace_takes_small_batches(rate: float | None, batch: int) -> None:
    assert Pace(rate).largest_batch == batch


def test_a_snapshot_hands_out_its_count_and_no_more() -> None:
    snapshot = Snapshot(15)

    assert (snapshot.reserve(10), snapshot.reserve(10)) == (10, 5)
    snapshot.received(10, 10, snapshot.poll_begins())
    snapshot.received(5, 5, snapshot.poll_begins())
    assert snapshot.reserve(10) == 0
    assert not snapshot.drained


def test_what_a_lane_did_not_get_another_one_takes() -> None:
    snapshot = Snapshot(10)
    assert snapshot.reserve(10) == 10
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.append(snapshot.reserve(10)))
    waiting.start()
    snapshot.received(10, 4, snapshot.poll_begins())
    waiting.join(20)

    assert taken == [6]


def test_empty_answers_count_only_while_nobody_has_anything_in_hand() -> None:
    snapshot = Snapshot(100, empty_polls=2)

    def poll() -> None:
        reserved = snapshot.reserve(10)
        snapshot.received_nothing(reserved, snapshot.poll_begins())

    snapshot.received(snapshot.reserve(10), 10, snapshot.poll_begins())
    for _ in range(5):
        poll()
    assert snapshot.reserve(1) == 1
    snapshot.received(1, 0, snapshot.poll_begins())
    snapshot.finished()
    snapshot.finished()
    assert not snapshot.drained
    poll()
    poll()
    assert snapshot.drained
    assert snapshot.reserve(10) == 0


def test_a_poll_that_began_while_another_lane_worked_proves_nothing() -> None:
    snapshot = Snapshot(100, empty_polls=1)
    snapshot.received(snapshot.reserve(10), 10, snapshot.poll_begins())
    reserved = snapshot.reserve(10)
    poll = snapshot.poll_begins()
    snapshot.finished()
    snapshot.received_nothing(reserved, poll)

    assert not snapshot.drained


@pytest.mark.parametrize("brought", [10, 0])
def test_a_poll_that_is_answered_while_another_one_is_under_way_proves_nothing_before_that_has_ended(
    brought: int,
) -> None:
    snapshot = Snapshot(100, empty_polls=2)
    reserved = snapshot.reserve(10)
    slow = snapshot.poll_begins()
    for _ in range(5):
        snapshot.received_nothing(snapshot.reserve(10), snapshot.poll_begins())
    assert not snapshot.drained

    if brought:
        snapshot.received(reserved, brought, slow)
        snapshot.finished()
    else:
        snapshot.received_nothing(reserved, slow)

    assert snapshot.drained == (not brought)


def test_a_poll_whose_answer_was_lost_lets_no_other_one_prove_anything() -> None:
    snapshot = Snapshot(100, empty_polls=1)
    reserved = snapshot.reserve(10)
    lost = snapshot.poll_begins()
    snapshot.received_nothing(snapshot.reserve(10), snapshot.poll_begins())
    snapshot.received_nothing(reserved, lost, conclusive=False)

    assert not snapshot.drained


def test_polls_that_overlap_without_end_find_an_empty_queue_all_the_same() -> None:
    snapshot = Snapshot(100)
    first = snapshot.poll_begins()
    for _ in range(10):
        second = snapshot.poll_begins()
        snapshot.received_nothing(snapshot.reserve(10), first)
        first = second

    assert snapshot.drained


@pytest.mark.parametrize(
    ("busy", "lanes"),
    [(1.0, [8, 8, 8, 8]), (0.69, [8, 12, 18, 20]), (0.0, [8, 12, 18, 20])],
)
def test_a_crew_grows_while_the_processor_waits(busy: float, lanes: list[int]) -> None:
    clock = [0.0]
    over = threading.Event()

    def work() -> None:
        over.wait()

    crew = Crew(work, 20, lambda: clock[0], lambda: clock[0] * busy)
    seen = [crew.lanes]
    for _ in range(3):
        clock[0] += 0.05
        crew.grow()
        seen.append(crew.lanes)

    assert not crew.wait(0.01)
    over.set()
    assert crew.wait(10)
    assert seen == lanes


def test_a_crew_of_nobody_is_done() -> None:
    assert Crew(lambda: None, 0).wait(0)


def test_an_append_log_ends_what_the_disk_had_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AppendLog(tmp_path / "log")
    log.append("one")
    write = os.write
    monkeypatch.setattr("os.write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="No space"):
        log.append("two, cut off")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):
        log.append("never")
    log.close()
    again = AppendLog(tmp_path / "log", existing=True)
    again.append("three")
    again.close()

    assert (tmp_path / "log").read_text().splitlines() == ["one", "tw", "three"]


def test_lines_of_many_threads_are_whole_and_none_is_empty(tmp_path: Path) -> None:
    log = AppendLog(tmp_path / "log")
    expected = {f"{thread}-{n}-" + "x" * 500 for thread in range(8) for n in range(50)}

    def write(thread: int) -> None:
        for n in range(50):
            log.sync_to(log.append(f"{thread}-{n}-" + "x" * 500))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()

    lines = (tmp_path / "log").read_text().splitlines()
    assert set(lines) == expected
    assert len(lines) == len(expected)


def test_a_pace_ramps_up_from_a_tenth_to_the_whole_rate() -> None:
    now = [0.0]
    pace = Pace(100, lambda: now[0], ramp_up_seconds=10)
    taken = {0: 0, 1: 0}
    while now[0] < 20:
        batch = pace.largest_batch
        now[0] += pace.reserve(batch)
        taken[int(now[0] >= 10)] += batch

    # Evenly from 10 to 100 a second makes 550 in the first ten seconds.
    assert taken[0] == pytest.approx(550, rel=0.05)
    assert taken[1] == pytest.approx(1000, rel=0.05)
    now[0] = 0.0
    assert Pace(100, lambda: now[0], ramp_up_seconds=10).largest_batch == 10
