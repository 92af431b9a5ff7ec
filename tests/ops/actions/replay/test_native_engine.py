"""SQS moves the messages itself: on the embedded AWS, and with canned answers where timing matters."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from contracts.messages import ERROR_CODE, REPLAY_COUNT, RULE_ARN, TARGET_ARN
from ops.actions.queues import Queue, QueueDirectory
from ops.actions.replay.choice import choose_engine
from ops.actions.replay.native_engine import replay_natively
from ops.actions.replay.options import Engine, ReplayOptions, Source
from ops.actions.replay.selection import Selection
from ops.aws import Aws
from ops.errors import OpsError, UsageError
from ops.exit_codes import ExitCode
from tests.ops.scene import Scene, numbered

_ARN = "arn:aws:sqs:ap-southeast-2:123456789012:orders-dlq"
_URL = "https://sqs.ap-southeast-2.amazonaws.com/123456789012/orders-dlq"
_OPTIONS = ReplayOptions(journal_directory=Path("unused"))


class _Canned(QueueDirectory):
    """A directory whose only client answers from a script."""

    def __init__(self) -> None:
        super().__init__(Aws(region="ap-southeast-2"))
        self.sqs: Any = boto3.client(
            "sqs", region_name="ap-southeast-2", aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.script = Stubber(self.sqs)

    def client(self, url: str) -> Any:
        return self.sqs


def _task(status: str, moved: int, of: int, **more: Any) -> dict[str, Any]:
    counts = {"ApproximateNumberOfMessagesMoved": moved, "ApproximateNumberOfMessagesToMove": of}
    handle = {"TaskHandle": "handle-1"} if status == "RUNNING" else {}
    return {"Results": [{"Status": status, "SourceArn": _ARN, **handle, **counts, **more}]}


def _source(**more: Any) -> Source:
    return Source(Queue(url=_URL, arn=_ARN, name="orders-dlq", visible=30, **more))


def test_it_follows_the_task_to_its_end() -> None:
    directory = _Canned()
    seen: list[int] = []
    script = directory.script
    script.add_response("start_message_move_task", {"TaskHandle": "handle-1"}, {"SourceArn": _ARN})
    listing = {"SourceArn": _ARN, "MaxResults": 10}
    script.add_response("list_message_move_tasks", _task("RUNNING", 10, 30), listing)
    script.add_response("list_message_move_tasks", _task("COMPLETED", 30, 30), listing)

    with script:
        report = replay_natively(
            directory, _source(), _OPTIONS, threading.Event(), lambda tally, *_: seen.append(tally.moved), 0
        )

    assert seen == [10, 30]
    assert (report.found, report.moved, report.left, report.engine, report.complete) == (30, 30, 0, Engine.NATIVE, True)


def test_the_rate_is_handed_over_and_one_that_sqs_cannot_keep_is_refused() -> None:
    directory = _Canned()
    request = {"SourceArn": _ARN, "MaxNumberOfMessagesPerSecond": 500}
    directory.script.add_response("start_message_move_task", {"TaskHandle": "handle-1"}, request)
    directory.script.add_response("list_message_move_tasks", _task("COMPLETED", 30, 30))
    options = ReplayOptions(journal_directory=Path("unused"), rate=500)
    with directory.script:
        replay_natively(directory, _source(), options, threading.Event(), lambda *_: None, 0)

    too_fast = ReplayOptions(journal_directory=Path("unused"), rate=501)
    with pytest.raises(UsageError, match="--rate 501: SQS itself moves 1 to 500"):
        replay_natively(directory, _source(), too_fast, threading.Event(), lambda *_: None, 0)


def test_stopped_it_cancels_and_tells_what_stays_moved() -> None:
    directory = _Canned()
    script = directory.script
    stop = threading.Event()
    script.add_response("start_message_move_task", {"TaskHandle": "handle-1"})
    script.add_response("list_message_move_tasks", _task("RUNNING", 7, 30))
    script.add_response("cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 8}, {"TaskHandle": "handle-1"})
    script.add_response("list_message_move_tasks", _task("CANCELLING", 8, 30))
    script.add_response("list_message_move_tasks", _task("CANCELLED", 9, 30))

    with script:
        report = replay_natively(directory, _source(), _OPTIONS, stop, lambda *_: stop.set(), 0)

    script.assert_no_pending_responses()
    assert (report.moved, report.left, report.interrupted, report.complete) == (9, 21, True, False)


def test_a_task_that_fails_says_why() -> None:
    directory = _Canned()
    directory.script.add_response("start_message_move_task", {"TaskHandle": "handle-1"})
    directory.script.add_response(
        "list_message_move_tasks", _task("FAILED", 4, 30, FailureReason="AWS.SimpleQueueService.NonExistentQueue")
    )

    with directory.script:
        report = replay_natively(directory, _source(), _OPTIONS, threading.Event(), lambda *_: None, 0)

    assert "NonExistentQueue" in report.error
    assert (report.moved, report.left) == (4, 26)


def test_a_refusal_points_to_the_client_engine() -> None:
    directory = _Canned()
    directory.script.add_client_error("start_message_move_task", "InvalidParameterValue", "Source must be a DLQ")

    with directory.script, pytest.raises(OpsError, match="Source must be a DLQ") as caught:
        replay_natively(directory, _source(), _OPTIONS, threading.Event(), lambda *_: None, 0)

    assert "--engine client" in caught.value.hint


def _dead_lettered(scene: Scene, messages: int = 12) -> tuple[str, str]:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.redrive(origin, dlq)
    scene.fill(origin, numbered(messages))
    scene.dead_letter(origin, messages)
    assert scene.counts(dlq)[0] == messages
    return dlq, origin


def _choice(scene: Scene, dlq: str, **options: Any) -> tuple[Engine, str]:
    directory = QueueDirectory(Aws(region=scene.account.region))
    settings = ReplayOptions(journal_directory=scene.state, **options)
    return choose_engine(directory, Source(directory.read(dlq)), settings)


def test_auto_lets_sqs_move_what_it_dead_lettered_itself(scene: Scene) -> None:
    dlq, origin = _dead_lettered(scene)

    assert _choice(scene, dlq)[0] is Engine.NATIVE
    assert scene.counts(dlq) == (12, 0), "the sample was not given back"

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--yes", "--output", "json")
    assert (ran.code, ran.last["engine"], ran.last["moved"], ran.last["left"]) == (0, "native", 12, 0)
    assert scene.counts(origin)[0] == 12


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_messages": 3}, "--max"),
        ({"dry_run": True}, "--dry-run"),
        ({"max_failures": 2}, "--max-failures"),
        ({"selection": Selection(ids=frozenset({"a"}))}, "--id"),
        ({"edit": {"a": 1}}, "--edit"),
        ({"copy": True}, "--copy"),
        ({"backup": Path("unused")}, "--backup"),
        ({"rate": 10.0, "ramp_up_seconds": 5.0}, "--ramp-up"),
        ({"resumes": "run-1"}, "--resume"),
        ({"max_replays": 2}, "--max-replays"),
        ({"rate": 900.0}, "900"),
        ({"rate": 0.5}, "0.5"),
    ],
)
def test_auto_does_it_itself_when_more_is_asked_than_sqs_can(
    scene: Scene, options: dict[str, Any], reason: str
) -> None:
    dlq, _ = _dead_lettered(scene)

    engine, why = _choice(scene, dlq, **options)

    assert engine is Engine.CLIENT
    assert reason in why


def test_auto_does_it_itself_where_sqs_would_refuse_or_leave_messages(scene: Scene) -> None:
    dlq, origin = _dead_lettered(scene, 3)
    unrelated = scene.queue("unrelated")
    assert _choice(scene, unrelated) == (
        Engine.CLIENT,
        "it is no queue's dead-letter queue, so SQS refuses to move its messages",
    )

    directory = QueueDirectory(Aws(region=scene.account.region))
    of_a_pattern = Source(directory.read(dlq), manifest_origin=scene.arn(origin))
    assert "worker" in choose_engine(directory, of_a_pattern, ReplayOptions(journal_directory=scene.state))[1]
    scene.fill(dlq, ["from a worker"])
    assert "did not put there" in _choice(scene, dlq)[1]
    text = {"DataType": "String", "StringValue": "x"}
    for names, reason in (
        ((RULE_ARN, TARGET_ARN, ERROR_CODE), "EventBridge"),
        ((REPLAY_COUNT,), "counted"),
    ):
        other, origin = scene.queue(f"dlq-{reason}"), scene.queue(f"origin-{reason}")
        scene.redrive(origin, other)
        attributes = dict.fromkeys(names, text)
        if names == (REPLAY_COUNT,):
            scene.fill(origin, ["again"], MessageAttributes=attributes)
            scene.dead_letter(origin, 1)
        else:
            scene.fill(other, ["event"], MessageAttributes=attributes)
        engine, why = _choice(scene, other)
        assert engine is Engine.CLIENT
        assert reason in why


def test_auto_does_fifo_itself(scene: Scene) -> None:
    assert _choice(scene, scene.queue("orders-dlq.fifo"))[0] is Engine.CLIENT


def test_ctrl_c_cancels_the_move_task_and_tells_what_it_moved(scene: Scene) -> None:
    dlq, origin = _dead_lettered(scene, 60)
    run = scene.start("replay-dlq", "--dlq-url", dlq, "--yes", "--engine", "native", "--rate", "10", "--output", "json")
    while scene.counts(origin)[0] < 3:
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=60)

    assert run.returncode == ExitCode.INTERRUPTED, errors
    report = json.loads(output.splitlines()[-1])
    assert (report["engine"], report["found"]) == ("native", 60)
    assert 3 <= report["moved"] < 60
    assert report["moved"] + report["left"] == 60
    # Cancelled: nothing moves any more, and nothing was moved back.
    assert (scene.counts(origin)[0], scene.counts(dlq)[0]) == (report["moved"], report["left"])
    tasks = scene.sqs.list_message_move_tasks(SourceArn=scene.arn(dlq))["Results"]
    assert tasks[0]["Status"] == "CANCELLED"
    assert "interrupted" in errors
