"""The scheduling of groups, for any batch, any failures and any moment of the stop."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.sources.queue.lanes import Lanes
from worker.sources.queue.messages import Message


def message(number: int, group: str | None = None) -> Message:
    return Message(id=str(number), body="", receipt_handle=f"r{number}", group=group, attributes={})


groups = st.lists(st.sampled_from("abc"), min_size=1, max_size=30)
# Who acts next: True adds a batch or takes a message, a number finishes one of those taken.
steps = st.lists(st.tuples(st.sampled_from(["add", "take", "finish", "close"]), st.integers(0, 9), st.booleans()))


@settings(max_examples=300, deadline=None)
@given(groups, steps, st.booleans(), st.integers(1, 10))
def test_every_message_leaves_once_and_groups_keep_their_order(
    names: list[str], script: list[tuple[str, int, bool]], fifo: bool, limit: int
) -> None:
    lanes = Lanes(fifo=fifo, limit=limit)
    coming = [message(number, group) for number, group in enumerate(names)]
    admitted: list[Message] = []
    taken: list[Message] = []
    settled: list[Message] = []
    given_back: list[Message] = []
    started: dict[str | None, list[int]] = defaultdict(list)
    closed = False

    def take() -> None:
        if lanes._waiting or closed:
            found = lanes.take()
            if found is not None:
                if fifo:
                    assert found.group not in {other.group for other in taken}, "two of a group at the same time"
                taken.append(found)
                started[found.group].append(int(found.id))

    def finish(position: int, success: bool) -> None:
        done = taken.pop(position % len(taken))
        gone = {*settled, *given_back, done}
        behind = [other for other in admitted if fifo and other.group == done.group and other not in gone]
        rest = lanes.finish(done, settled=success)
        assert rest == ([] if success else behind), "after a failure all the rest of the group, in order"
        (settled if success else given_back).append(done)
        given_back.extend(rest)

    for action, number, success in script:
        if action == "add" and coming:
            batch, coming = coming[: number + 1], coming[number + 1 :]
            admitted += batch
            given_back.extend(lanes.add(batch))
        elif action == "take":
            take()
        elif action == "finish" and taken:
            finish(number, success)
        elif action == "close" and not closed and number == 0:
            closed = True
            given_back.extend(lanes.close())
    while not closed and (lanes._waiting or taken):
        take()
        if taken:
            finish(0, True)
    while taken:
        finish(0, True)
    if not closed:
        given_back.extend(lanes.close())

    assert sorted(settled + given_back, key=lambda m: int(m.id)) == admitted, "each leaves exactly once"
    assert not lanes._lanes
    if fifo:
        for order in started.values():
            assert order == sorted(order)


def test_no_room_while_something_waits_for_a_thread() -> None:
    lanes = Lanes(fifo=False, limit=10)
    assert lanes.wait_for_room(0) == 10
    lanes.add([message(1), message(2)])
    assert lanes.wait_for_room(0) == 0
    first, second = lanes.take(), lanes.take()
    assert lanes.wait_for_room(0) == 8
    assert first is not None
    assert second is not None
    lanes.finish(first, settled=True)
    assert lanes.wait_for_room(0) == 9


def test_a_group_counts_once_for_room() -> None:
    lanes = Lanes(fifo=True, limit=2)
    lanes.add([message(number, "g") for number in range(10)])
    assert lanes.take() is not None
    assert lanes.wait_for_room(0) == 1


def test_after_close_nothing_is_taken_in_and_what_is_begun_may_finish() -> None:
    lanes = Lanes(fifo=True, limit=10)
    one, two, three = message(1, "g"), message(2, "g"), message(3, "h")
    lanes.add([one, two, three])
    assert lanes.take() is one
    assert lanes.close() == [two, three]
    assert lanes.take() is None
    assert lanes.wait_for_room(0) == 0
    late = message(4, "g")
    assert lanes.add([late]) == [late]
    assert lanes.finish(one, settled=False) == []
