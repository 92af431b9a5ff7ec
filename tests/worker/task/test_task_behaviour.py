"""The source `task` on the embedded AWS: one event, one exit code, whatever happens in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import environment as names
from tests.emulator import ROOT, Account
from tests.worker.support import Shop, envelope, wait_for
from worker.sources.task.overlap import RunLock


@pytest.fixture
def shop(account: Account, tmp_path: Path) -> Shop:
    return Shop(account, tmp_path)


def start(shop: Shop, event: str | None = None, **variables: str) -> subprocess.Popen[str]:
    environment = {**shop.environment, **({names.EVENT: event} if event else {}), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "task"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(task: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = task.communicate(timeout=60)
    return task.returncode, output


def wait_until_it_waits(task: subprocess.Popen[str]) -> None:
    """For another task of the pattern."""
    assert task.stdout is not None
    while "waiting for another task" not in task.stdout.readline():
        assert task.poll() is None


def outcome(output: str) -> list[Any]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line["outcome"] for line in lines if "outcome" in line]


def test_handled_is_exit_code_0_and_another_copy_too_without_a_second_call(shop: Shop):
    code, output = finish(start(shop, envelope("a")))
    assert (code, outcome(output)) == (0, ["handled"])
    code, output = finish(start(shop, envelope("a")))
    assert (code, outcome(output)) == (0, ["duplicate"])
    assert shop.attempts() == {"a": 1}


def test_a_failure_is_exit_code_1_and_can_be_tried_again(shop: Shop):
    code, output = finish(start(shop, envelope("a", fail=1)))
    assert (code, outcome(output)) == (1, ["failed"])
    assert "failure 1 of a" in output
    assert finish(start(shop, envelope("a", fail=1)))[0] == 0
    assert shop.attempts() == {"a": 2}


def test_what_no_retry_can_help_is_exit_code_4(shop: Shop):
    assert finish(start(shop, envelope("a", poison=True)))[0] == 4
    assert finish(start(shop, "no event"))[0] == 4


def test_without_an_event_the_message_says_where_one_may_be(shop: Shop):
    code, output = finish(start(shop))
    assert code == 2
    assert output == (
        "worker: EDA_EVENT: not set; a task gets its event in one of EDA_EVENT, EDA_EVENT_REFERENCE, EDA_EVENT_PATHS "
        "or WORKFLOW_INPUT\n"
    )
    code, output = finish(start(shop, None, **{names.EVENT_REFERENCE: "https://example.com/x"}))
    assert (code, output.count("is not a place")) == (2, 1)
    code, output = finish(start(shop, None, **{names.EVENT_PATHS: "[]"}))
    assert (code, output.count("is malformed")) == (2, 1)


def test_an_event_by_reference_may_have_any_size(shop: Shop):
    s3 = shop.account.client("s3")
    s3.create_bucket(Bucket="events", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-2"})
    s3.put_object(Bucket="events", Key="2026/a b.json", Body=envelope("big", filling="x" * 300_000).encode())
    assert finish(start(shop, None, **{names.EVENT_REFERENCE: "s3://events/2026/a b.json"}))[0] == 0
    assert shop.attempts() == {"big": 1}


def test_an_event_that_is_referred_to_and_gone_can_be_written_again_so_another_attempt_may_help(shop: Shop):
    s3 = shop.account.client("s3")
    s3.create_bucket(Bucket="gone", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-2"})
    s3.put_object(Bucket="gone", Key="latin", Body="ü".encode("latin-1"))
    for place, expected, reason in (
        ("s3://gone/other", 1, "there is no object s3://gone/other: it has expired or was deleted"),
        ("s3://nowhere/at-all", 1, "s3://nowhere/at-all cannot be read: "),
        ("s3://gone/latin", 4, "s3://gone/latin is no text"),
    ):
        code, output = finish(start(shop, None, **{names.EVENT_REFERENCE: place}))
        assert (code, output.count(reason), output.count("Traceback")) == (expected, 1, 0), output
        assert outcome(output) == ["failed"]
    assert shop.attempts() == {}


def test_an_event_in_parts_is_put_together(shop: Shop):
    paths = {"ID": "$.id", "SOURCE": "$.source", "TYPE": "$.detail-type", "KEY": "$.detail.object.key"}
    variables = {"ID": "id-1", "SOURCE": "aws.s3", "TYPE": "Object Created", "KEY": "photo.jpg"}
    code, output = finish(start(shop, None, **variables, **{names.EVENT_PATHS: json.dumps(paths)}))
    assert (code, outcome(output)) == (0, ["handled"])
    assert shop.attempts() == {"id-1": 1}


def test_sigterm_waits_for_the_work_within_the_stop_timeout(shop: Shop):
    task = start(shop, envelope("a", seconds=1))
    wait_for("the handler", lambda: shop.more_calls_than(0))
    task.send_signal(signal.SIGTERM)
    assert finish(task)[0] == 0
    assert shop.calls("end") != []


def test_work_that_outlasts_the_stop_timeout_is_exit_code_3_and_its_key_is_free(shop: Shop):
    task = start(shop, envelope("a", seconds=60), **{names.STOP_TIMEOUT_SECONDS: "2"})
    wait_for("the handler", lambda: shop.more_calls_than(0))
    task.send_signal(signal.SIGTERM)
    code, output = finish(task)
    assert (code, outcome(output)) == (3, ["given-back"])
    assert shop.calls("end") == []
    # another one does not wait for a lease to end
    assert shop.dynamodb.scan(TableName="keys")["Items"] == []


def test_a_second_task_waits_for_the_first_and_does_not_repeat_it(shop: Shop):
    first = start(shop, envelope("a", seconds=2))
    wait_for("the handler", lambda: shop.more_calls_than(0))
    second = start(shop, envelope("a", seconds=2))
    assert [finish(first)[0], finish(second)[0]] == [0, 0]
    assert shop.attempts() == {"a": 1}


def test_skip_ends_at_once_while_another_one_runs_and_runs_when_none_does(shop: Shop):
    first = start(shop, envelope("a", gate=1), **{names.OVERLAP: "skip"})
    wait_for("the first", lambda: shop.more_calls_than(0))
    code, output = finish(start(shop, envelope("b"), **{names.OVERLAP: "skip"}))
    assert (code, outcome(output)) == (0, ["skipped"])
    shop.open_gate()
    assert finish(first)[0] == 0
    code, output = finish(start(shop, envelope("c"), **{names.OVERLAP: "skip"}))
    assert (code, outcome(output)) == (0, ["handled"])
    assert shop.attempts() == {"a": 1, "c": 1}


def test_queue_waits_for_the_end_of_the_other_one(shop: Shop):
    first = start(shop, envelope("a", gate=1), **{names.OVERLAP: "queue"})
    wait_for("the first", lambda: shop.more_calls_than(0))
    second = start(shop, envelope("b"), **{names.OVERLAP: "queue"})
    wait_until_it_waits(second)
    shop.open_gate()
    assert [finish(first)[0], finish(second)[0]] == [0, 0]
    (end,) = [call["at"] for call in shop.calls("end") if call["key"] == "a"]
    (begin,) = [call["at"] for call in shop.calls() if call["key"] == "b"]
    assert begin >= end


def test_a_waiting_task_ends_when_it_is_told_to(shop: Shop):
    first = start(shop, envelope("a", gate=1), **{names.OVERLAP: "queue"})
    wait_for("the first", lambda: shop.more_calls_than(0))
    second = start(shop, envelope("b"), **{names.OVERLAP: "queue"})
    wait_until_it_waits(second)
    second.send_signal(signal.SIGTERM)
    assert finish(second)[0] == 3
    shop.open_gate()
    assert finish(first)[0] == 0
    assert shop.attempts() == {"a": 1}


def test_an_overlap_rule_needs_the_table_and_a_known_name(shop: Shop):
    code, output = finish(start(shop, envelope("a"), **{names.OVERLAP: "skip", names.IDEMPOTENCY_TABLE: ""}))
    assert (code, output) == (2, "worker: RUN_OVERLAP: 'skip' needs IDEMPOTENCY_TABLE, which holds the lock\n")
    code, output = finish(start(shop, envelope("a"), **{names.OVERLAP: "never"}))
    assert (code, output) == (2, "worker: RUN_OVERLAP: 'never' is unknown; allowed: allow, skip, queue\n")


def test_the_lock_of_a_killed_task_ends_with_its_lease(shop: Shop):
    now = [1_000_000.0]

    def lock() -> RunLock:
        return RunLock(shop.dynamodb, "keys", "orders", lease_seconds=30, clock=lambda: now[0])

    killed, second, third = lock(), lock(), lock()
    assert [killed.take(), second.take()] == [True, False]
    now[0] += 31
    assert [second.take(), third.take()] == [True, False]
    killed.release()  # not its own any more
    assert third.take() is False
    second.release()
    assert third.take() is True
