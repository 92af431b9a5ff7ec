"""`ops peek-dlq`: shows what is there and why, and takes nothing away."""

from __future__ import annotations

import json
from typing import Any

from contracts.messages import ERROR_CODE, ERROR_MESSAGE, FAILURE, RULE_ARN, TARGET_ARN, Failure
from ops.exit_codes import ExitCode
from tests.ops.scene import Scene, numbered


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _failed(error: str, message: str) -> dict[str, Any]:
    failure = Failure(
        error=error,
        message=message,
        receive_count=5,
        retryable=True,
        queue_arn="arn:aws:sqs:ap-southeast-2:123456789012:orders",
        failed_at="2026-11-20T00:00:00Z",
    )
    return {FAILURE: _text(failure.to_json())}


def _fill(scene: Scene) -> str:
    dlq = scene.queue("orders-dlq")
    order = json.dumps({"source": "pizza", "detail-type": "OrderCreated", "detail": {}})
    scene.fill(dlq, [order] * 4, MessageAttributes=_failed("KeyError", "'city'"))
    scene.fill(dlq, [order], MessageAttributes=_failed("ValueError", "no menu"))
    names = {RULE_ARN: "r", TARGET_ARN: "t", ERROR_CODE: "NO_PERMISSIONS", ERROR_MESSAGE: "not allowed"}
    scene.fill(dlq, [order] * 2, MessageAttributes={name: _text(value) for name, value in names.items()})
    scene.fill(dlq, ["not json"])
    return dlq


def test_rows_say_what_and_why_and_everything_stays_visible(scene: Scene) -> None:
    dlq = _fill(scene)

    ran = scene.run("peek-dlq", "--dlq-url", dlq, "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    rows = json.loads(ran.stdout)
    kinds = sorted((row["error"], row["message"], row["event_type"]) for row in rows)
    assert kinds == sorted(
        [("KeyError", "'city'", "OrderCreated")] * 4
        + [("ValueError", "no menu", "OrderCreated")]
        + [("NO_PERMISSIONS", "not allowed", "OrderCreated")] * 2
        + [("unknown", "", "unknown")]
    )
    assert {row["receive_count"] for row in rows} == {1}
    assert all(row["id"] and row["sent"].endswith("Z") and row["body"] for row in rows)
    assert scene.counts(dlq) == (8, 0)


def test_the_table_has_a_line_per_group_the_largest_first(scene: Scene) -> None:
    dlq = _fill(scene)

    ran = scene.run("peek-dlq", "--dlq-url", dlq)

    lines = [line.split() for line in ran.stdout.splitlines()[1:]]
    assert [(line[1], line[3]) for line in lines] == [
        ("KeyError", "4"),
        ("NO_PERMISSIONS", "2"),
        ("ValueError", "1"),
        ("unknown", "1"),
    ]


def test_the_limit_holds_and_a_fifo_queue_keeps_its_order(scene: Scene) -> None:
    dlq = scene.queue("orders-dlq.fifo")
    scene.fill(dlq, numbered(30))

    ran = scene.run("peek-dlq", "--dlq-url", dlq, "--limit", "7", "--output", "json")

    assert [row["body"] for row in json.loads(ran.stdout)] == numbered(7)
    assert scene.counts(dlq) == (30, 0)
    assert scene.bodies(dlq) == numbered(30)


def test_a_queue_with_its_own_dead_letter_queue_is_pointed_out(scene: Scene) -> None:
    dlq, last = scene.queue("orders-dlq"), scene.queue("last-resort")
    scene.redrive(dlq, last, receives=5)
    scene.fill(dlq, ["one"])

    ran = scene.run("peek-dlq", "--dlq-url", dlq, "--messages")

    assert "after 5 receives, and this look counts as one" in ran.stderr
    assert scene.counts(dlq) == (1, 0)


def test_a_pattern_names_its_queues(scene: Scene) -> None:
    dlq = _fill(scene)
    other = scene.queue("orders-events-dlq")
    references = [
        scene.queue_ref(dlq, holds="messages"),
        scene.queue_ref(other, holds="undelivered-events"),
    ]
    scene.publish_pattern("orders", {"dead_letter_queues": references})

    both = scene.run("--stack", "dev", "peek-dlq", "orders", "--output", "json")
    one = scene.run("peek-dlq", "orders", "--stack", "dev", "--dlq", "orders-events-dlq", "--output", "json")
    wrong = scene.run("peek-dlq", "orders", "--stack", "dev", "--dlq", "nothing")

    assert len(json.loads(both.stdout)) == 8
    assert json.loads(one.stdout) == []
    assert wrong.code == ExitCode.USAGE
    assert "orders-dlq, orders-events-dlq" in wrong.stderr
