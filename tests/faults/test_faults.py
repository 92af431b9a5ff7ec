"""One test per way in which other tools lose or multiply messages; a proxy injects the fault."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ops.actions.replay.journal import read_journal
from ops.actions.replay.options import QueueReport
from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy, Request
from tests.ops.scene import Scene, Stop, numbered


@pytest.fixture
def proxy(scene: Scene) -> Iterator[FaultsProxy]:
    """A proxy that the run, and only the run, goes through."""
    with FaultsProxy(scene.account.endpoint_url) as running:
        scene.through(running.url)
        yield running


def _queues(scene: Scene, messages: int = 60) -> tuple[str, str]:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(messages))
    return dlq, origin


def test_a_partly_failed_send_deletes_only_what_arrived_and_retries_the_rest(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene)
    proxy.inject("SendMessageBatch", Fault.PARTIAL, times=4)

    report = scene.replay(dlq, origin)

    assert proxy.faults[Fault.PARTIAL] == 4
    assert (report.moved, report.failed, report.duplicates_possible) == (60, 0, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(60))


def test_what_fails_for_good_stays_visible_and_is_counted(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene)
    scene.sqs.set_queue_attributes(QueueUrl=origin, Attributes={"MaximumMessageSize": "1024"})
    scene.fill(dlq, ["x" * 2000])

    report = scene.replay(dlq, origin)

    assert (report.found, report.moved, report.failed, report.left) == (61, 60, 1, 0)
    assert scene.bodies(dlq) == ["x" * 2000]
    assert scene.journals() == []


def test_a_partly_failed_delete_is_repeated(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene)
    proxy.inject("DeleteMessageBatch", Fault.PARTIAL, times=3)

    report = scene.replay(dlq, origin)

    assert (report.moved, report.failed) == (60, 0)
    assert scene.counts(dlq) == (0, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(60))


def test_a_delete_that_never_works_is_finished_by_the_next_run(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 30)
    proxy.inject("DeleteMessageBatch", Fault.ACCESS_DENIED, times=None)
    first = scene.replay(dlq, origin)
    proxy.heal()
    second = scene.replay(dlq, origin)

    assert (first.moved, first.failed, first.complete) == (0, 30, False)
    assert (second.found, second.moved, second.recovered, second.duplicates_possible) == (30, 30, 30, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(30))
    assert scene.journals() == []


@pytest.mark.parametrize("action", ["ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"])
@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.THROTTLED_403, Fault.UNAVAILABLE, Fault.DROPPED_BEFORE])
def test_a_passing_fault_costs_nothing(scene: Scene, proxy: FaultsProxy, action: str, fault: Fault) -> None:
    dlq, origin = _queues(scene)
    proxy.inject(action, fault, times=3)

    report = scene.replay(dlq, origin, visibility_timeout_seconds=2)

    assert proxy.faults[fault] == 3
    assert (report.moved, report.failed, report.left) == (60, 0, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(60))
    # After a 503 or a cut connection nobody knows whether the request was carried out; after a throttle one does.
    ambiguous = action == "SendMessageBatch" and fault in (Fault.UNAVAILABLE, Fault.DROPPED_BEFORE)
    assert bool(report.duplicates_possible) == ambiguous


def test_a_send_whose_answer_is_lost_is_repeated_and_counted(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene)
    struck: set[str] = set()

    def first_attempt(request: Request) -> bool:
        body = json.loads(request.body)["Entries"][0]["MessageBody"]
        known = body in struck
        struck.add(body)
        return not known

    # Of two batches, and not twice of one whose second attempt comes before the others' first.
    proxy.inject("SendMessageBatch", Fault.DROPPED_AFTER, times=2, when=first_attempt)

    report = scene.replay(dlq, origin)

    arrived = Counter(scene.bodies(origin))
    assert (report.moved, report.failed) == (60, 0)
    assert set(arrived) == set(numbered(60))
    assert report.duplicates_possible == 20
    assert arrived.total() == 80


def test_on_fifo_a_send_whose_answer_is_lost_arrives_once(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.fill(dlq, numbered(20))
    proxy.inject("SendMessageBatch", Fault.DROPPED_AFTER, times=3)

    report = scene.replay(dlq, origin)

    assert (report.moved, report.duplicates_possible) == (20, 0)
    assert scene.bodies(origin) == numbered(20)


def test_a_delete_whose_answer_is_lost_is_no_failure(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene)
    proxy.inject("DeleteMessageBatch", Fault.DROPPED_AFTER, times=2)

    report = scene.replay(dlq, origin)

    assert (report.moved, report.failed, report.left) == (60, 0, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(60))


def test_a_receive_whose_answer_is_lost_is_waited_for(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 40)
    proxy.inject("ReceiveMessage", Fault.DROPPED_AFTER, times=2)

    report = scene.replay(dlq, origin, visibility_timeout_seconds=2)

    assert (report.found, report.moved, report.left) == (40, 40, 0)
    assert Counter(scene.bodies(origin)) == Counter(numbered(40))


def test_credentials_that_expire_half_way_end_the_run_with_true_numbers(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 100)
    sends = itertools.count()
    proxy.inject("SendMessageBatch", Fault.EXPIRED_TOKEN, times=None, when=lambda request: next(sends) >= 4)

    report = scene.replay(dlq, origin, concurrency=2)

    assert "expired" in report.error
    assert (report.moved, report.found) == (40, 100)
    assert report.found == report.moved + report.failed + report.left
    assert scene.counts(dlq) == (60, 0)
    assert Counter(scene.bodies(origin) + scene.bodies(dlq)) == Counter(numbered(100))


def test_everything_expired_leaves_nothing_lost(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 20)
    ran: list[QueueReport] = []
    receives = itertools.count()

    def after_the_first(request: Request) -> bool:
        return request.action != "ReceiveMessage" or next(receives) > 0

    proxy.inject("ReceiveMessage", Fault.EXPIRED_TOKEN, times=None, when=after_the_first)
    proxy.inject("SendMessageBatch", Fault.EXPIRED_TOKEN, times=None)
    proxy.inject("ChangeMessageVisibilityBatch", Fault.EXPIRED_TOKEN, times=None)
    ran.append(scene.replay(dlq, origin, concurrency=2, visibility_timeout_seconds=2))
    proxy.heal()

    assert ran[0].moved == 0
    assert ran[0].lapsing == 10
    assert ran[0].error
    second = scene.replay(dlq, origin, visibility_timeout_seconds=2)
    assert (second.found, second.moved, second.left) == (20, 20, 0), "what could not be given back is waited for"


def test_fifo_keeps_the_order_of_each_group_when_batches_partly_fail(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    for n in range(8):
        for group in "abc":
            scene.sqs.send_message(
                QueueUrl=dlq, MessageBody=f"{group}{n}", MessageGroupId=group, MessageDeduplicationId=f"{group}{n}"
            )
    proxy.inject("SendMessageBatch", Fault.PARTIAL, times=6)

    report = scene.replay(dlq, origin)

    arrived = scene.bodies(origin)
    assert report.moved == 24
    for group in "abc":
        assert [body for body in arrived if body[0] == group] == [f"{group}{n}" for n in range(8)]


def test_on_fifo_a_group_stops_at_its_first_failure_and_the_others_go_on(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.sqs.set_queue_attributes(QueueUrl=origin, Attributes={"MaximumMessageSize": "1024"})
    for n in range(6):
        for group in "ab":
            body = f"{group}{n}" + ("x" * 2000 if (group, n) == ("a", 2) else "")
            scene.sqs.send_message(
                QueueUrl=dlq, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{group}{n}"
            )

    report = scene.replay(dlq, origin)

    arrived = scene.bodies(origin)
    assert [body for body in arrived if body[0] == "a"] == ["a0", "a1"]
    assert [body for body in arrived if body[0] == "b"] == [f"b{n}" for n in range(6)]
    assert (report.found, report.moved, report.failed, report.left) == (12, 8, 1, 3)
    assert [body[:2] for body in scene.bodies(dlq)] == ["a2", "a3", "a4", "a5"]


def test_fifo_inside_the_deduplication_window_loses_nothing(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.redrive(origin, dlq)
    scene.fill(origin, numbered(20))
    scene.dead_letter(origin, 20)
    assert scene.counts(dlq)[0] == 20

    report = scene.replay(dlq)

    assert (report.moved, report.destinations) == (20, {"orders.fifo": 20})
    assert scene.counts(origin)[0] == 20


def test_on_fifo_a_run_does_not_end_while_an_answer_is_on_its_way(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.fill(dlq, numbered(30))
    handed_out = threading.Event()

    def until_others_came_back_empty(request: Request) -> None:
        handed_out.set()
        deadline = time.monotonic() + 20
        while proxy.calls["ReceiveMessage"] < 10 and time.monotonic() < deadline:
            time.sleep(0.005)

    # The first lane's messages hold back the rest of their group: to the other lanes the queue looks empty.
    proxy.inject("ReceiveMessage", Fault.DELAYED, seconds=0, then=until_others_came_back_empty)
    proxy.inject("ReceiveMessage", Fault.DELAYED, times=None, when=lambda request: not handed_out.wait(20))

    report = scene.replay(dlq, origin)

    assert (report.moved, report.left, report.complete) == (30, 0, True)
    assert scene.bodies(origin) == numbered(30)


def test_a_standard_queue_can_be_replayed_into_a_fifo_queue(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders.fifo")
    scene.fill(dlq, numbered(15))

    report = scene.replay(dlq, origin)

    assert report.moved == 15
    assert sorted(scene.bodies(origin)) == sorted(numbered(15))


def test_a_stopped_run_gives_everything_back_and_says_what_it_moved(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 100)
    stop = Stop()
    sends = itertools.count()

    def stop_at_the_fourth(request: Request) -> None:
        if next(sends) >= 3:
            stop.set()
            assert stop.heard.wait(60)

    proxy.inject("SendMessageBatch", Fault.DELAYED, seconds=0, times=None, then=stop_at_the_fourth)

    report = scene.replay(dlq, origin, concurrency=2, stop=stop)

    assert report.interrupted
    assert 0 < report.moved < 100
    assert report.moved + report.left == 100
    assert scene.counts(dlq) == (100 - report.moved, 0)
    assert scene.counts(origin) == (report.moved, 0)
    [journal] = scene.journals()
    assert read_journal(journal).open == {}, "it is kept to be resumed, and there is nothing to repair"
    assert read_journal(journal).done == report.moved


def test_throttled_for_good_everything_is_given_back(scene: Scene, proxy: FaultsProxy, monkeypatch: Any) -> None:
    dlq, origin = _queues(scene, 20)
    monkeypatch.setattr("ops.actions.replay.client_engine._ATTEMPTS", 2)
    proxy.inject("SendMessageBatch", Fault.THROTTLED, times=None)

    report = scene.replay(dlq, origin)

    assert (report.moved, report.failed, report.left) == (0, 20, 0)
    assert "throttled" in next(iter(report.reasons))
    assert scene.counts(dlq) == (20, 0)
    assert scene.journals() == []


def test_the_command_reports_a_partly_done_replay_with_exit_3(scene: Scene, proxy: FaultsProxy) -> None:
    dlq, origin = _queues(scene, 10)
    scene.sqs.set_queue_attributes(QueueUrl=origin, Attributes={"MaximumMessageSize": "1024"})
    scene.fill(dlq, ["x" * 2000])

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, "--yes", "--engine", "client", "--output", "json")

    assert ran.code == ExitCode.PARTLY
    assert json.loads(ran.stdout.splitlines()[-1])["failed"] == 1
    assert "InvalidParameterValue" in ran.stderr
