"""Heartbeats, on a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from contracts.events import Event
from worker.execution import Verdict
from worker.sources.queue.hand import MAX_IN_FLIGHT_SECONDS, Hand
from worker.sources.queue.heartbeat import Heartbeat
from worker.sources.queue.messages import Message
from worker.sources.queue.sqs import BatchResult


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class RecordingQueue:
    """Answers as told, and remembers the timeouts that were set."""

    def __init__(self) -> None:
        self.calls: list[dict[str, int]] = []
        self.answer: Callable[[dict[Message, int]], BatchResult] = lambda timeouts: BatchResult(done=list(timeouts))

    def set_visibility(self, timeouts: dict[Message, int]) -> BatchResult:
        self.calls.append({message.id: seconds for message, seconds in timeouts.items()})
        return self.answer(timeouts)


class RecordingExecutor:
    def __init__(self) -> None:
        self.extended: list[tuple[str, float]] = []

    def execute(self, event: Event, remaining_seconds: Callable[[], float]) -> Verdict:
        raise AssertionError("a heartbeat handles nothing")

    def extend(self, idempotency_key: str, seconds: float) -> None:
        self.extended.append((idempotency_key, seconds))

    def abandon(self, idempotency_key: str) -> None:
        raise AssertionError("a heartbeat abandons nothing")


class Bench:
    def __init__(self, visibility_timeout_seconds: float = 30) -> None:
        self.clock = Clock()
        self.queue = RecordingQueue()
        self.executor = RecordingExecutor()
        self.hand = Hand(visibility_timeout_seconds, self.clock)
        self.heartbeat = Heartbeat(self.queue, self.hand, self.executor, self.clock)  # type: ignore[arg-type]

    def hold(self, name: str) -> Message:
        message = Message(id=name, body="", receipt_handle=name, attributes={})
        self.hand.add([message], received_at=self.clock.now)
        return message

    def beat_at(self, seconds: float) -> None:
        self.clock.now = 1000 + seconds
        self.heartbeat.beat(timeout_seconds=0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_message_is_extended_when_a_third_of_its_timeout_has_passed(bench: Bench) -> None:
    message = bench.hold("m")
    bench.beat_at(9.9)
    assert bench.queue.calls == []
    bench.beat_at(10)
    assert bench.queue.calls == [{"m": 30}]
    assert bench.hand.remaining_seconds(message) == 30
    bench.beat_at(19.9)
    bench.beat_at(20)
    assert bench.queue.calls == [{"m": 30}, {"m": 30}]


def test_a_failed_extension_is_repeated_soon(bench: Bench) -> None:
    message = bench.hold("m")
    bench.queue.answer = lambda timeouts: BatchResult(failed=dict.fromkeys(timeouts, "InternalError"))
    bench.beat_at(10)
    assert bench.hand.remaining_seconds(message) == 20
    bench.beat_at(13)
    assert len(bench.queue.calls) == 2


def test_a_message_that_is_gone_is_not_extended_again(bench: Bench) -> None:
    bench.hold("m")
    bench.queue.answer = lambda timeouts: BatchResult(gone=dict.fromkeys(timeouts, "ReceiptHandleIsInvalid"))
    bench.beat_at(10)
    bench.beat_at(25)
    assert len(bench.queue.calls) == 1


def test_the_idempotency_record_is_extended_with_the_message(bench: Bench) -> None:
    bench.hand.handling(bench.hold("m"), "key")
    bench.hold("waiting")
    bench.beat_at(10)
    assert bench.queue.calls == [{"m": 30, "waiting": 30}]
    assert bench.executor.extended == [("key", 30)]


def test_sqs_allows_twelve_hours_and_no_more() -> None:
    bench = Bench(visibility_timeout_seconds=30_000)
    bench.hold("m")
    bench.beat_at(10_000)
    bench.beat_at(20_000)
    bench.beat_at(MAX_IN_FLIGHT_SECONDS - 0.5)
    bench.beat_at(MAX_IN_FLIGHT_SECONDS + 1)
    assert bench.queue.calls == [{"m": 30_000}, {"m": MAX_IN_FLIGHT_SECONDS - 20_000}]


def test_what_left_the_hand_is_not_extended(bench: Bench) -> None:
    message = bench.hold("m")
    bench.hand.remove([message])
    bench.beat_at(10)
    assert bench.queue.calls == []
    assert bench.hand.remaining_seconds(message) == 0
    assert bench.hand.wait_until_empty(0)


def test_a_back_off_waits_for_the_extension_that_is_under_way(bench: Bench) -> None:
    message = bench.hold("m")
    order: list[str] = []
    under_way, go_on = threading.Event(), threading.Event()

    def slowly(timeouts: dict[Message, int]) -> BatchResult:
        under_way.set()
        go_on.wait(10)
        order.append("extended")
        return BatchResult(done=list(timeouts))

    def back_off() -> None:
        bench.hand.remove([message])
        order.append("removed")

    bench.queue.answer = slowly
    beating = threading.Thread(target=bench.beat_at, args=(10,))
    beating.start()
    assert under_way.wait(10)
    backing_off = threading.Thread(target=back_off)
    backing_off.start()
    backing_off.join(0.05)
    assert order == []
    go_on.set()
    backing_off.join(10)
    beating.join(10)
    assert order == ["extended", "removed"]
    assert len(bench.hand) == 0
