"""Copies, backups, edits, and runs that go on where another one stopped."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.actions.replay.backup import Backup, backed_up_ids
from ops.actions.replay.journal import Journal, OpenEntry, Stage
from ops.actions.replay.journal_store import JournalStore
from ops.actions.replay.options import QueueReport
from ops.actions.replay.selection import Selection
from ops.errors import OpsError
from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy, Request
from tests.ops.scene import Scene, Stop, numbered


def _queues(scene: Scene, messages: int = 30) -> tuple[str, str]:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(messages))
    return dlq, origin


@pytest.fixture
def proxy(scene: Scene) -> Iterator[FaultsProxy]:
    """All runs go through it: a journal belongs to the endpoint that it was written for."""
    with FaultsProxy(scene.account.endpoint_url) as running:
        scene.through(running.url)
        yield running


def _stopped_at(scene: Scene, proxy: FaultsProxy, dlq: str, origin: str, sends: int, **options: Any) -> QueueReport:
    """A run that is stopped with its send number `sends`."""
    stop, count = Stop(), itertools.count(1)

    def strike(request: Request) -> None:
        if next(count) == sends:
            stop.set()
            assert stop.heard.wait(60)

    proxy.inject("SendMessageBatch", Fault.DELAYED, seconds=0, times=None, then=strike)
    try:
        return scene.replay(dlq, origin, stop=stop, concurrency=1, **options)
    finally:
        proxy.heal()


# Copies


def test_a_copy_sends_everything_and_takes_nothing_away(scene: Scene) -> None:
    dlq, origin = _queues(scene)

    report = scene.replay(dlq, origin, copy=True)

    assert (report.found, report.moved, report.left, report.complete) == (30, 30, 0, True)
    assert Counter(scene.bodies(origin)) == Counter(numbered(30))
    assert scene.counts(dlq) == (30, 0)
    assert scene.journals() == []


def test_a_copy_that_was_stopped_is_finished_by_the_next_one_and_never_deleted_by_a_move(
    scene: Scene, proxy: FaultsProxy
) -> None:
    dlq, origin = _queues(scene)
    first = _stopped_at(scene, proxy, dlq, origin, 2, copy=True)
    assert first.interrupted
    assert 0 < first.moved < 30

    other = scene.queue("other")
    elsewhere = scene.replay(dlq, other, copy=True)
    second = scene.replay(dlq, origin, copy=True)
    moved = scene.replay(dlq, other)

    assert (elsewhere.moved, elsewhere.recovered) == (30, 0), "what was copied to one queue is not in another"
    assert (second.moved, second.recovered) == (30, first.moved)
    assert Counter(scene.bodies(origin)) == Counter(numbered(30))
    assert (moved.moved, moved.recovered) == (30, 0)
    assert Counter(scene.bodies(other)) == Counter([*numbered(30), *numbered(30)])


def test_a_copy_does_not_delete_what_a_killed_move_had_sent(scene: Scene) -> None:
    dlq, origin = _queues(scene, 1)
    [message] = scene.sqs.receive_message(QueueUrl=dlq, VisibilityTimeout=0)["Messages"]
    store = JournalStore(scene.state / "replay", scene.arn(dlq), scene.account.endpoint_url)
    with store.locked("run-0"):
        inherited = store.inherit()
        inherited.open[message["MessageId"]] = OpenEntry(Stage.SENT, "run-0", time.time())
        store.start("run-0", 0, inherited)

    assert (scene.replay(dlq, origin, copy=True).moved, scene.counts(dlq)) == (1, (1, 0))
    assert (scene.replay(dlq, origin).recovered, scene.counts(dlq)) == (1, (0, 0))


def test_of_a_fifo_group_a_copy_reaches_what_sqs_hands_out_and_says_so(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.fill(dlq, numbered(25))

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, "--copy", "--yes", "--output", "json")

    copied = ran.last["moved"]
    # What one request of a lane hands out, 10 at most.
    assert 0 < copied <= 10
    assert (ran.code, ran.last["left"], ran.last["copy"]) == (ExitCode.PARTLY, 25 - copied, True)
    assert f"{25 - copied} stand behind messages of their group" in ran.stderr
    assert scene.bodies(origin) == numbered(copied)
    assert scene.bodies(dlq) == numbered(25)


def test_a_fifo_queue_takes_every_copy_but_a_move_only_once_even_without_its_journal(
    scene: Scene, proxy: FaultsProxy
) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    scene.fill(dlq, ["m"])
    for _ in range(2):
        assert scene.replay(dlq, origin, copy=True).moved == 1
    assert scene.bodies(origin) == ["m", "m"]

    proxy.inject("DeleteMessageBatch", Fault.ACCESS_DENIED)
    assert scene.replay(dlq, origin).failed == 1
    for journal in scene.journals():
        journal.unlink()
    assert (scene.replay(dlq, origin).moved, scene.counts(dlq)) == (1, (0, 0))
    assert scene.bodies(origin) == ["m"]


# Backups


def test_a_backup_has_every_message_that_was_moved_as_it_was(scene: Scene, tmp_path: Path) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    attributes = {
        "text": {"DataType": "String", "StringValue": "ü"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    scene.fill(dlq, ['{"n": 1}'], MessageAttributes=attributes)
    scene.fill(dlq, ['{"n": 2}', '{"n": 3}'])
    file = tmp_path / "backup.jsonl"
    words = ("--where", "body.n < `3`", "--edit", '{"n": 9}', "--backup", str(file), "--yes", "--output", "json")

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, *words)

    assert (ran.code, ran.last["moved"], ran.last["engine"]) == (ExitCode.OK, 2, "client")
    assert scene.bodies(origin) == ['{"n":9}', '{"n":9}']
    lines = {one["body"]: one for one in map(json.loads, file.read_text().splitlines())}
    assert set(lines) == {'{"n": 1}', '{"n": 2}'}
    kept = lines['{"n": 1}']
    assert kept["attributes"]["text"] == attributes["text"]
    assert base64.b64decode(kept["attributes"]["raw"]["BinaryValue"]) == b"\x00\xff"
    assert kept["queue"] == "orders-dlq"
    assert int(kept["system"]["SentTimestamp"]) > 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "backup: 2 messages" in ran.stderr


def test_a_full_disk_under_the_backup_ends_the_run_before_anything_of_the_batch_is_sent(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dlq, origin = _queues(scene, 50)
    backup = Backup(tmp_path / "backup.jsonl")
    write, records = os.write, itertools.count()

    def full(file: int, data: bytes) -> int:
        if data.lstrip().startswith(b'{"id"') and next(records) >= 25:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr("os.write", full)
    report = scene.replay(dlq, origin, backup=backup, concurrency=1)
    monkeypatch.undo()

    assert "No space left on device" in report.error
    assert (report.moved, report.left) == (20, 30)
    assert scene.counts(dlq) == (30, 0)
    assert scene.counts(origin)[0] == 20


def test_nothing_is_deleted_that_is_not_on_disk(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dlq, origin = _queues(scene, 40)
    path = tmp_path / "backup.jsonl"
    backup = Backup(path)
    durable: list[int] = [0]
    fsync = os.fsync

    def noting(file: int) -> None:
        fsync(file)
        if os.readlink(f"/proc/self/fd/{file}") == str(path):
            durable[0] = len(path.read_text().splitlines())

    seen: list[tuple[int, int]] = []

    def deleting(request: Request) -> bool:
        seen.append((len(json.loads(request.body)["Entries"]), durable[0]))
        return True

    monkeypatch.setattr("os.fsync", noting)
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        proxy.inject("DeleteMessageBatch", Fault.DELAYED, seconds=0, times=None, when=deleting)
        scene.through(proxy.url)
        assert scene.replay(dlq, origin, backup=backup, concurrency=1).moved == 40

    deleted = list(itertools.accumulate(entries for entries, _ in seen))
    assert all(on_disk >= gone for gone, (_, on_disk) in zip(deleted, seen, strict=True))


def test_a_backup_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    path.write_text("precious")

    with pytest.raises(OpsError, match="not overwritten"):
        Backup(path)
    assert path.read_text() == "precious"


def test_a_resumed_backup_goes_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    from ops.actions.replay.messages import DeadLetter

    path = tmp_path / "backup.jsonl"
    first = Backup(path)
    first.write("q", [DeadLetter(f"m{n}", "r", "body", {}, {}) for n in range(3)])
    first.close()
    path.write_bytes(path.read_bytes()[:-9])

    second = Backup(path, resumed=True)
    second.write("q", [DeadLetter(f"m{n}", "r", "body", {}, {}) for n in range(4)])
    second.close()

    assert backed_up_ids(path) == {"m0", "m1", "m2", "m3"}
    assert second.messages == 2, "m2 was cut off, and is written again"


# Edits


def test_an_edit_changes_the_body_that_is_sent_and_skips_what_is_no_object(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, ['{"city": "Perth", "obsolete": 1, "price": 1.5}', "no json", "[1]"])

    report = scene.replay(dlq, origin, edit={"city": "Darwin", "obsolete": None})

    assert (report.moved, report.skipped, report.left_out, report.complete) == (1, 2, 0, False)
    assert [json.loads(body) for body in scene.bodies(origin)] == [{"city": "Darwin", "price": 1.5}]
    assert sorted(scene.bodies(dlq)) == ["[1]", "no json"]
    assert all("cannot be edited" in reason for reason in report.reasons)


# Failures


def test_too_many_failures_end_the_run(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.sqs.set_queue_attributes(QueueUrl=origin, Attributes={"MaximumMessageSize": "1024"})
    scene.fill(dlq, [f"{n}" + "x" * 2000 for n in range(60)])

    report = scene.replay(dlq, origin, max_failures=15, concurrency=1)

    assert "stopped after 20 failures" in report.error
    assert (report.moved, report.failed, report.left) == (0, 20, 40)
    assert scene.counts(dlq) == (60, 0)


# Resuming


def test_a_stopped_run_is_listed_and_resumed_with_all_that_it_was_asked_for(
    scene: Scene, proxy: FaultsProxy, tmp_path: Path
) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, [json.dumps({"n": n, "even": n % 2 == 0}) for n in range(100)])
    file = tmp_path / "backup.jsonl"
    asked = {"selection": Selection(where="body.even"), "max_messages": 40, "edit": {"seen": True}}
    backup = Backup(file)
    first = _stopped_at(scene, proxy, dlq, origin, 2, backup=backup, **asked)
    backup.close()
    assert first.interrupted
    assert 0 < first.moved < 40
    [journal] = scene.journals()
    header, *rest = journal.read_text().splitlines()
    record = json.loads(header)
    assert record["request"]["where"] == "body.even"
    # This run had its backup handed over by the test; the command writes its name into the request.
    record["request"]["backup"] = str(file)
    journal.write_text("\n".join([json.dumps(record), *rest, ""]))

    listed = scene.run("replay-dlq", "--list-runs", "--output", "json")
    [row] = json.loads(listed.stdout)
    ran = scene.run("replay-dlq", "--resume", first.run_id, "--yes", "--output", "json")

    assert (row["run_id"], row["ended"], row["moved"]) == (first.run_id, "stopped", first.moved)
    assert (ran.code, ran.last["moved"]) == (ExitCode.OK, 40 - first.moved)
    arrived = [json.loads(body) for body in scene.bodies(origin)]
    assert len(arrived) == 40
    assert all(one["even"] and one["seen"] for one in arrived)
    assert len(backed_up_ids(file)) == 40
    assert scene.counts(dlq) == (60, 0)
    again = scene.run("replay-dlq", "--resume", first.run_id, "--yes")
    assert (again.code, "no unfinished run" in again.stderr) == (ExitCode.USAGE, True)


def test_the_command_keeps_its_backup_and_says_how_to_go_on(scene: Scene, proxy: FaultsProxy, tmp_path: Path) -> None:
    dlq, origin = _queues(scene, 20)
    file = tmp_path / "backup.jsonl"
    words = ("replay-dlq", "--dlq-url", dlq, "--to", origin, "--yes", "--output", "json")
    proxy.inject("SendMessageBatch", Fault.EXPIRED_TOKEN, times=None)
    first = scene.run(*words, "--backup", str(file))
    proxy.heal()
    run_id = first.last["run_id"]
    assert (first.code, first.last["moved"]) == (ExitCode.ERROR, 0)
    assert f"--resume {run_id}" in first.stderr

    scene.through(scene.account.endpoint_url)
    elsewhere = scene.run("replay-dlq", "--resume", run_id, "--yes")
    assert (elsewhere.code, "at this endpoint" in elsewhere.stderr) == (ExitCode.ERROR, True)
    scene.through(proxy.url)
    second = scene.run("replay-dlq", "--resume", run_id, "--yes", "--output", "json")

    assert (second.code, second.last["moved"]) == (ExitCode.OK, 20)
    assert len(file.read_text().splitlines()) == 20, "each message once"
    assert Counter(scene.bodies(origin)) == Counter(numbered(20))


def test_a_resumed_run_whose_backup_is_gone_does_not_start(scene: Scene, proxy: FaultsProxy, tmp_path: Path) -> None:
    dlq, origin = _queues(scene, 10)
    first = _stopped_at(scene, proxy, dlq, origin, 1)
    [journal] = scene.journals()
    header, *rest = journal.read_text().splitlines()
    record = json.loads(header)
    record["request"]["backup"] = str(tmp_path / "gone.jsonl")
    journal.write_text("\n".join([json.dumps(record), *rest, ""]))

    ran = scene.run("replay-dlq", "--resume", first.run_id, "--yes")

    assert (ran.code, "gone.jsonl is gone" in ran.stderr) == (ExitCode.USAGE, True)


def test_a_journal_without_a_request_is_not_offered(scene: Scene, tmp_path: Path) -> None:
    folder = scene.state / "replay" / "orders-dlq-x"
    folder.mkdir(parents=True)
    journal = Journal(folder / "run-1.jsonl", "run-1", "arn", 30)
    journal.sending({"m": "r"})

    listed = scene.run("replay-dlq", "--list-runs", "--output", "json")

    assert json.loads(listed.stdout) == []


def test_reports_are_plain_data() -> None:
    assert {field.name for field in dataclasses.fields(QueueReport)} >= {"left_out", "behind", "missing"}
