"""The journal survives being cut off anywhere, and a rerun inherits what is open."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.actions.replay.journal import Journal, OpenEntry, Stage, read_journal
from ops.actions.replay.journal_store import RETENTION_SECONDS, JournalStore, state_directory
from ops.errors import OpsError

_ARN = "arn:aws:sqs:ap-southeast-2:123456789012:orders-dlq"


def _journal(path: Path) -> Journal:
    return Journal(path, "run-1", _ARN, 30)


def _stages(path: Path) -> dict[str, Stage]:
    return {message_id: entry.stage for message_id, entry in read_journal(path).open.items()}


def test_a_message_is_open_from_sending_to_deleted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = _journal(path)
    journal.sending({"m1": "r1", "m2": "r2", "m3": "r3"})
    journal.refused(["m3"])
    journal.sent(["m1"])
    assert _stages(path) == {"m1": Stage.SENT, "m2": Stage.SENDING}

    journal.deleted(["m1"])

    content = read_journal(path)
    assert content.open.keys() == {"m2"}
    assert content.open["m2"].receipt == "r2"
    assert (content.run_id, content.visibility_timeout_seconds, content.closed) == ("run-1", 30, False)


def test_closing_removes_a_journal_without_open_entries_and_keeps_one_with(tmp_path: Path) -> None:
    done, open_ = _journal(tmp_path / "done.jsonl"), _journal(tmp_path / "open.jsonl")
    for journal in (done, open_):
        journal.sending({"m": "r"})
        journal.sent(["m"])
    done.deleted(["m"])

    done.close()
    open_.close()

    assert [path.name for path in tmp_path.iterdir()] == ["open.jsonl"]
    assert read_journal(tmp_path / "open.jsonl").closed


def test_cut_off_at_every_byte_of_the_last_record_it_reads_as_if_that_had_not_been_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = _journal(path)
    journal.sending({"m1": "r1", "m2": "r2"})
    before = path.stat().st_size
    journal.sent(["m1", "m2"])
    whole = path.read_bytes()

    for size in range(before, len(whole) + 1):
        path.write_bytes(whole[:size])
        stage = Stage.SENT if size == len(whole) else Stage.SENDING
        assert _stages(path) == {"m1": stage, "m2": stage}, size


def test_a_damaged_line_in_the_middle_hides_nothing_after_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = _journal(path)
    with path.open("ab") as file:
        file.write(b'\n\x00\x00\x00\n{"record": "unheard-of"}\n[1, 2]')
    journal.sending({"m1": "r1"})

    assert _stages(path) == {"m1": Stage.SENDING}


_STEPS = st.lists(
    st.tuples(st.sampled_from(["sending", "sent", "refused", "deleted"]), st.sets(st.integers(0, 8), min_size=1)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS, st.floats(0, 1))
def test_any_prefix_reads_as_the_records_that_are_whole_in_it(steps: list[tuple[str, set[int]]], where: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        journal = _journal(path)
        sizes = [path.stat().st_size]
        states = [_stages(path)]
        for what, numbers in steps:
            ids = [f"m{n}" for n in sorted(numbers)]
            if what == "sending":
                journal.sending(dict.fromkeys(ids, "r"))
            else:
                getattr(journal, what)(ids)
            sizes.append(path.stat().st_size)
            states.append(_stages(path))
        cut = int(where * (sizes[-1] - sizes[0])) + sizes[0]
        path.write_bytes(path.read_bytes()[:cut])
        whole = max(n for n, size in enumerate(sizes) if size <= cut)

        assert _stages(path) == states[whole]


def test_a_rerun_inherits_the_furthest_stage_and_the_original_run(tmp_path: Path) -> None:
    store = JournalStore(tmp_path, _ARN)
    with store.locked("run-1"):
        first = store.start("run-1", 30, store.inherit())
        first.sending({"sent": "r1", "unknown": "r2", "gone": "r3"})
        first.sent(["sent", "gone"])
        first.deleted(["gone"])
        # Killed here: nothing is closed.
        inherited = store.inherit()
        assert {name: entry.stage for name, entry in inherited.open.items()} == {
            "sent": Stage.SENT,
            "unknown": Stage.SENDING,
        }
        assert inherited.open["unknown"].run_id == "run-1"
        assert inherited.held_until > time.time()

        second = store.start("run-2", 30, inherited)
        second.sending({"unknown": "r9"})
        again = store.inherit()

    assert [path.name for path in store.directory.glob("*.jsonl")] == ["run-2.jsonl"]
    assert again.open["unknown"].run_id == "run-1"
    assert again.open["sent"].stage is Stage.SENT


def test_killed_before_the_old_journals_are_removed_nothing_is_forgotten(tmp_path: Path) -> None:
    store = JournalStore(tmp_path, _ARN)
    with store.locked("run-1"):
        first = store.start("run-1", 30, store.inherit())
        first.sending({"m": "r"})
        first.sent(["m"])
        inherited = store.inherit()
        inherited.files.clear()
        store.start("run-2", 30, inherited)

        assert store.inherit().open["m"].stage is Stage.SENT


def test_entries_older_than_any_message_are_dropped(tmp_path: Path) -> None:
    store = JournalStore(tmp_path, _ARN)
    with store.locked("run-1"):
        inherited = store.inherit()
        inherited.open["old"] = OpenEntry(Stage.SENT, "run-0", time.time() - RETENTION_SECONDS - 1)
        inherited.open["young"] = OpenEntry(Stage.SENT, "run-0", time.time() - RETENTION_SECONDS + 60)
        store.start("run-1", 30, inherited)

        assert store.inherit().open.keys() == {"young"}


def test_a_closed_run_holds_nothing(tmp_path: Path) -> None:
    store = JournalStore(tmp_path, _ARN)
    with store.locked("run-1"):
        journal = store.start("run-1", 30, store.inherit())
        journal.sending({"m": "r"})
        journal.sent(["m"])
        journal.close()

        assert store.inherit().held_until == 0
        assert store.inherit().open.keys() == {"m"}


def test_the_lock_is_free_again_after_an_error_and_names_its_holder(tmp_path: Path) -> None:
    store = JournalStore(tmp_path, _ARN)
    with pytest.raises(RuntimeError), store.locked("run-1"):
        raise RuntimeError
    with (
        store.locked("run-2"),
        pytest.raises(OpsError, match=f"process {os.getpid()}.*run-2"),
        JournalStore(tmp_path, _ARN).locked("run-3"),
    ):
        pytest.fail("two runs at a time")


def test_two_queues_of_equal_name_do_not_share_journals(tmp_path: Path) -> None:
    other = JournalStore(tmp_path, _ARN.replace("123456789012", "210987654321"))
    local = JournalStore(tmp_path, _ARN, "http://127.0.0.1:4566")

    assert len({JournalStore(tmp_path, _ARN).directory, other.directory, local.directory}) == 3


def test_many_lanes_share_syncs_and_every_record_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = _journal(path)

    def lane(number: int) -> None:
        for n in range(20):
            journal.sending({f"{number}-{n}": "r"})
            journal.sent([f"{number}-{n}"])

    lanes = [threading.Thread(target=lane, args=(number,)) for number in range(8)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()

    assert _stages(path) == {f"{number}-{n}": Stage.SENT for number in range(8) for n in range(20)}
    assert journal.open_count == 160


def test_a_sync_that_fails_forbids_the_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _journal(tmp_path / "a.jsonl")

    def broken(file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        journal.sending({"m": "r"})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EDA_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, Path("/a")),
        ({"XDG_STATE_HOME": "/b"}, Path("/b/eda")),
        ({}, Path.home() / ".local/state/eda"),
    ],
)
def test_the_state_directory_follows_the_environment(environment: dict[str, str], expected: Path) -> None:
    assert state_directory(environment) == expected
