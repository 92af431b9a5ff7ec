"""Filters: what they select, what becomes of the rest, and what is refused before anything is touched."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.messages import FAILURE, REPLAY_COUNT, Failure
from ops.actions.replay import intake
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.selection import NotDecidableError, Selection, document_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy, Request
from tests.ops.scene import Scene, numbered

_SENT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def _message(body: str = "", attributes: dict[str, Any] | None = None) -> DeadLetter:
    system = {
        "SentTimestamp": str(int(_SENT.timestamp() * 1000)),
        "ApproximateReceiveCount": "4",
        "MessageGroupId": "g",
    }
    return DeadLetter("m1", "receipt", body, attributes or {}, system)


def _failure(error: str) -> dict[str, Any]:
    failure = Failure(
        error=error, message="'city'", receive_count=5, retryable=True, queue_arn="", failed_at="2026-11-20T10:00:00Z"
    )
    return {"DataType": "String", "StringValue": failure.to_json()}


def test_where_sees_what_peek_shows_the_parsed_body_and_the_attributes() -> None:
    message = _message(
        json.dumps({"detail-type": "OrderCreated", "detail": {"city": "Perth"}}),
        attributes={
            FAILURE: _failure("KeyError"),
            REPLAY_COUNT: {"DataType": "Number", "StringValue": "2"},
            "price": {"DataType": "Number.float", "StringValue": "1.5"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )

    seen = document_of(message)

    assert seen.pop("attributes") == {
        FAILURE: _failure("KeyError")["StringValue"],
        REPLAY_COUNT: 2,
        "price": 1.5,
        "raw": "AAE=",
    }
    assert seen == {
        "id": "m1",
        "body": {"detail-type": "OrderCreated", "detail": {"city": "Perth"}},
        "sent": "2026-11-20T10:00:00Z",
        "receive_count": 4,
        "group": "g",
        "replays": 2,
        "error": "KeyError",
        "message": "'city'",
        "event_type": "OrderCreated",
    }
    assert document_of(_message("no json"))["body"] == "no json"


@pytest.mark.parametrize(
    ("where", "selected"),
    [
        ("body.city == 'Perth'", True),
        ("body.city == 'Darwin'", False),
        ("body.nothing", False),
        ("body.zero", True),  # JMESPath: the number 0 is true
        ("body.empty", False),
        ("receive_count > `3` && starts_with(sent, '2026-11-20')", True),
        ("contains(body.tags, 'b')", True),
        ("!(body.nothing)", True),
    ],
)
def test_what_is_selected_is_what_jmespath_calls_true(where: str, selected: bool) -> None:
    message = _message('{"city": "Perth", "zero": 0, "empty": [], "tags": ["a", "b"]}')

    assert (Selection(where=where).leaves_out(message) == "") == selected


def test_an_expression_that_does_not_fit_a_message_decides_nothing() -> None:
    with pytest.raises(NotDecidableError, match="starts_with"):
        Selection(where="starts_with(body.city, 'P')").leaves_out(_message('{"city": 7}'))


@pytest.mark.parametrize(
    ("since", "until", "selected"),
    [
        (_SENT, None, True),
        (_SENT + timedelta(seconds=1), None, False),
        (None, _SENT, False),
        (None, _SENT + timedelta(seconds=1), True),
        (_SENT - timedelta(hours=1), _SENT + timedelta(hours=1), True),
    ],
)
def test_since_is_included_and_until_is_not(since: datetime | None, until: datetime | None, selected: bool) -> None:
    assert (Selection(since=since, until=until).leaves_out(_message()) == "") == selected


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("body ==", "no JMESPath expression"),
        ("", "no JMESPath expression"),
        ("body.a && unheard(body)", r"no function unheard\(\)"),
        ("[?starts_with(@)]", r"starts_with\(\) takes 2 arguments, not 1"),
        ("length(a, b)", "takes 1 arguments, not 2"),
    ],
)
def test_a_wrong_expression_is_refused_before_a_message_is_seen(where: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Selection(where=where)


def _orders(scene: Scene, messages: int = 60) -> tuple[str, str]:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, [json.dumps({"n": n, "even": n % 2 == 0}) for n in range(messages)])
    return dlq, origin


def _numbers(bodies: list[str]) -> list[int]:
    return sorted(json.loads(body)["n"] for body in bodies)


def test_only_what_is_selected_moves_and_the_rest_is_received_once_and_given_back(scene: Scene) -> None:
    dlq, origin = _orders(scene, 200)

    report = scene.replay(dlq, origin, selection=Selection(where="body.even"), concurrency=4)

    assert (report.found, report.moved, report.skipped, report.left_out, report.left) == (200, 100, 100, 100, 0)
    assert report.complete
    assert report.reasons == {"--where does not hold": 100}
    assert _numbers(scene.bodies(origin)) == list(range(0, 200, 2))
    assert scene.counts(dlq) == (100, 0)
    left = scene.drain(dlq)
    assert _numbers([one["Body"] for one in left]) == list(range(1, 200, 2))
    # By the run, and by this look.
    assert {one["Attributes"]["ApproximateReceiveCount"] for one in left} == {"2"}
    assert scene.journals() == []


def test_a_head_that_is_all_left_out_does_not_hide_what_is_behind_it(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, [json.dumps({"n": n}) for n in range(150)])
    scene.fill(dlq, [json.dumps({"n": 150, "wanted": True})])

    report = scene.replay(dlq, origin, selection=Selection(where="body.wanted"), visibility_timeout_seconds=2)

    assert (report.moved, report.left_out) == (1, 150)
    assert scene.counts(dlq) == (150, 0)


def test_by_id_the_run_ends_when_all_were_met(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    ids = [scene.sqs.send_message(QueueUrl=dlq, MessageBody=f"m{n}")["MessageId"] for n in range(40)]

    report = scene.replay(dlq, origin, selection=Selection(ids=frozenset({ids[0], ids[3]})), concurrency=1)

    assert (report.moved, report.missing, report.complete) == (2, [], True)
    assert report.left > 0, "it went on after it had met both"
    assert scene.bodies(origin) == ["m0", "m3"]
    assert scene.counts(dlq) == (38, 0)


def test_an_id_that_is_not_there_is_told_and_makes_the_run_incomplete(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    there = scene.sqs.send_message(QueueUrl=dlq, MessageBody="here")["MessageId"]
    words = ("--id", there, "--id", "not-there", "--to", origin, "--yes", "--output", "json")

    ran = scene.run("replay-dlq", "--dlq-url", dlq, *words)

    assert (ran.code, ran.last["moved"], ran.last["queues"][0]["missing"]) == (ExitCode.PARTLY, 1, ["not-there"])
    assert "not met: not-there" in ran.stderr


def test_max_counts_what_is_selected(scene: Scene) -> None:
    dlq, origin = _orders(scene)

    report = scene.replay(dlq, origin, selection=Selection(where="body.even"), max_messages=7, concurrency=3)

    assert (report.moved, report.complete) == (7, True)
    assert all(number % 2 == 0 for number in _numbers(scene.bodies(origin)))
    assert scene.counts(dlq) == (53, 0)


def test_what_cannot_be_decided_stays_and_the_run_is_incomplete(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, ['{"city": "Perth"}', '{"city": 7}'])

    report = scene.replay(dlq, origin, selection=Selection(where="starts_with(body.city, 'P')"))

    assert (report.moved, report.skipped, report.left_out, report.complete) == (1, 1, 0, False)
    assert "cannot be evaluated" in next(iter(report.reasons))
    assert scene.bodies(dlq) == ['{"city": 7}']


def test_on_fifo_what_is_left_out_ends_its_group_and_the_others_go_on(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    for n in range(6):
        for group in "ab":
            scene.sqs.send_message(
                QueueUrl=dlq,
                MessageBody=json.dumps({"group": group, "n": n}),
                MessageGroupId=group,
                MessageDeduplicationId=f"{group}{n}",
            )
    selection = Selection(where="!(body.group == 'a' && body.n == `2`)")

    report = scene.replay(dlq, origin, selection=selection)

    arrived = [json.loads(body) for body in scene.bodies(origin)]
    assert [one["n"] for one in arrived if one["group"] == "a"] == [0, 1]
    assert [one["n"] for one in arrived if one["group"] == "b"] == list(range(6))
    assert (report.found, report.moved, report.left_out, report.left, report.behind) == (12, 8, 1, 3, 3)
    assert not report.complete
    assert [json.loads(body)["n"] for body in scene.bodies(dlq)] == [2, 3, 4, 5]


def test_a_run_that_would_hold_too_much_ends_and_gives_it_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    dlq, origin = _orders(scene)
    monkeypatch.setattr(intake, "MOST_HELD", 15)

    report = scene.replay(dlq, origin, selection=Selection(where="body.n < `0`"), concurrency=1)

    assert "stopped looking: 20 messages" in report.error
    assert scene.counts(dlq) == (60, 0)


def test_stopped_what_was_left_out_is_given_back_too(scene: Scene) -> None:
    dlq, origin = _orders(scene, 100)
    stop = threading.Event()

    def strike(request: Request) -> bool:
        stop.set()
        return True

    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("SendMessageBatch", Fault.DELAYED, seconds=0.1, times=None, when=strike)
        report = scene.replay(dlq, origin, selection=Selection(where="body.even"), stop=stop, concurrency=2)

    assert report.interrupted
    assert scene.counts(dlq) == (100 - report.moved, 0)
    assert Counter(_numbers(scene.bodies(dlq) + scene.bodies(origin))) == Counter(range(100))


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 30), ({"dry_run": True}, 30 + 500), ({"copy": True}, 530), ({"selection": Selection(where="body")}, 530)],
)
def test_visibility_grows_with_what_is_held_to_the_end(scene: Scene, options: dict[str, Any], seconds: int) -> None:
    from ops.actions.replay.options import ReplayOptions

    asked = ReplayOptions(journal_directory=scene.state, **options)

    assert asked.visibility_seconds(50_000) == seconds
    assert asked.visibility_seconds(500_000) <= 600


def test_a_dry_run_shows_where_the_selected_would_go(scene: Scene) -> None:
    dlq, origin = _orders(scene)
    words = ("--to", origin, "--where", "body.even", "--dry-run", "--output", "json")

    ran = scene.run("replay-dlq", "--dlq-url", dlq, *words)

    assert (ran.code, ran.last["moved"], ran.last["skipped"]) == (ExitCode.OK, 0, 30)
    assert ran.last["queues"][0]["destinations"] == {"orders": 30}
    assert "30 would go to orders" in ran.stderr
    assert "30 × --where does not hold" in ran.stderr
    assert scene.counts(dlq) == (60, 0)
    assert scene.counts(origin) == (0, 0)


def test_since_and_until_choose_by_the_time_of_sending(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(5))
    words = ("--dlq-url", dlq, "--to", origin, "--yes", "--output", "json")

    old = scene.run("replay-dlq", *words, "--until", "1h")
    young = scene.run("replay-dlq", *words, "--since", "1h")

    assert (old.code, old.last["moved"], old.last["skipped"]) == (ExitCode.OK, 0, 5)
    assert (young.code, young.last["moved"]) == (ExitCode.OK, 5)
