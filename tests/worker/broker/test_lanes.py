from __future__ import annotations

from worker.sources.broker.hand import Hand
from worker.sources.broker.lanes import Lanes
from worker.sources.broker.link import Link
from worker.sources.broker.messages import Acknowledge, Disposition, Message


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class QuietLink(Link):
    """A link to nowhere: what is asked of it waits."""

    def work(self, timeout_seconds: float) -> None: ...

    def stop_deliveries(self) -> None: ...

    def close(self) -> None: ...

    def _wake(self) -> None: ...

    def _carry_out(self, message: Message, disposition: Disposition) -> None: ...


class FakeLink(QuietLink):
    def __init__(self) -> None:
        super().__init__(Hand(), parks=False)


def message(name: str, link: Link, group: str | None = None) -> Message:
    return Message(id=name, body=b"", receive_count=1, group=group, link=link, delivery=None)


def take(lanes: Lanes) -> Message:
    taken = lanes.take()
    assert taken is not None
    return taken


def test_a_group_goes_one_by_one_and_others_side_by_side():
    lanes, link = Lanes(), FakeLink()
    first, second, other, alone = (message(n, link, g) for n, g in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("x", None)))
    for item in (first, second, other, alone):
        assert lanes.add(item)
    assert [take(lanes), take(lanes), take(lanes)] == [first, other, alone]
    assert lanes.finish(first)
    assert take(lanes) is second


def test_a_message_that_waits_for_its_next_attempt_holds_up_its_group_only():
    clock = Clock()
    lanes, link = Lanes(clock), FakeLink()
    first, second, other = message("a1", link, "a"), message("a2", link, "a"), message("b1", link, "b")
    for item in (first, second, other):
        lanes.add(item)
    assert lanes.finish(take(lanes), again_in_seconds=5)
    assert take(lanes) is other
    clock.now = 5.0
    assert take(lanes) is first
    assert lanes.finish(first)
    assert take(lanes) is second


def test_a_lost_link_takes_along_what_is_not_being_handled():
    clock = Clock()
    lanes, lost, new = Lanes(clock), FakeLink(), FakeLink()
    handled, behind, pausing = message("a1", lost, "a"), message("a2", lost, "a"), message("c1", lost, "c")
    again, follower = message("a1 again", new, "a"), message("c2", new, "c")
    for item in (pausing, handled, behind):
        lanes.add(item)
    assert lanes.finish(take(lanes), again_in_seconds=5)
    assert take(lanes) is handled
    lanes.add(again)
    lanes.add(follower)
    lost.lose()
    assert set(lanes.drop(lost)) == {behind, pausing}
    assert take(lanes) is follower
    assert not lanes.finish(handled, again_in_seconds=1)  # it cannot be kept: the broker has it again
    assert take(lanes) is again


def test_closing_gives_out_what_was_not_started_each_group_in_order():
    lanes, link = Lanes(), FakeLink()
    items = [message(f"a{number}", link, "a") for number in range(3)] + [message("x", link)]
    for item in items:
        lanes.add(item)
    started = take(lanes)
    assert lanes.close() == items[1:]
    assert lanes.take() is None
    assert not lanes.add(message("late", link))
    assert not lanes.finish(started, again_in_seconds=1)


def test_a_settlement_on_a_lost_link_leaves_the_hand():
    hand = Hand()

    link = QuietLink(hand, parks=False)
    waiting, late = message("waiting", link), message("late", link)
    hand.add(waiting)
    hand.add(late)
    link.settle(waiting, Acknowledge())
    assert len(hand) == 2
    link.lose()
    assert len(hand) == 1
    link.settle(late, Acknowledge())
    assert hand.wait_until_empty(0)
