"""The command line itself: options, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from typing import Any

import pytest

from ops.__main__ import main, with_global_options_first
from ops.actions.replay.tally import Tally
from ops.exit_codes import ExitCode
from ops.output import Format, Output
from ops.progress import show_progress
from tests.emulator import ROOT
from tests.ops.scene import Scene, numbered


def test_without_a_terminal_a_replay_is_not_started_without_yes(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, ["one"])

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin)

    assert ran.code == ExitCode.USAGE
    assert "no terminal" in ran.stderr
    assert "--yes" in ran.stderr
    assert scene.counts(dlq) == (1, 0)


@pytest.mark.parametrize(("answer", "moved"), [("y\n", 3), ("n\n", 0)])
def test_on_a_terminal_it_asks(scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: str, moved: int) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(3))
    monkeypatch.setattr(Output, "interactive", property(lambda self: True))

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, stdin=answer)

    assert ran.code == ExitCode.OK
    assert "Move them?" in ran.stderr
    assert scene.counts(origin)[0] == moved


def test_the_last_line_of_json_has_the_promised_fields(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(25))

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, "--yes", "--output", "json", "--rate", "500")

    assert ran.code == ExitCode.OK
    numbers = {"found": 25, "moved": 25, "skipped": 0, "failed": 0, "left": 0, "duplicates_possible": 0}
    assert {name: ran.last[name] for name in numbers} == numbers
    assert ran.last["engine"] == "client"
    assert ran.last["seconds"] > 0
    assert ran.last["run_id"]
    assert len(ran.stdout.splitlines()) == 1


def test_a_pattern_replays_all_of_its_queues_that_hold_something(scene: Scene) -> None:
    origin, dlq = scene.queue("orders"), scene.queue("orders-dlq")
    second, empty = scene.queue("orders-late-dlq"), scene.queue("orders-events-dlq")
    references = [
        scene.queue_ref(dlq, holds="messages", origin_arn=scene.arn(origin)),
        scene.queue_ref(second, holds="messages", origin_arn=scene.arn(origin)),
        scene.queue_ref(empty, holds="undelivered-events"),
    ]
    scene.publish_pattern("orders", {"dead_letter_queues": references})
    scene.fill(dlq, numbered(7))
    scene.fill(second, numbered(5, "late-"))

    ran = scene.run("--stack", "dev", "replay-dlq", "orders", "--yes", "--output", "json")
    again = scene.run("--stack", "dev", "replay-dlq", "orders", "--yes", "--output", "json")

    assert (ran.code, ran.last["moved"], ran.last["found"]) == (ExitCode.OK, 12, 12)
    assert [one["queue"] for one in ran.last["queues"]] == ["orders-dlq", "orders-late-dlq"]
    assert sorted(scene.bodies(origin)) == sorted([*numbered(7), *numbered(5, "late-")])
    assert (again.code, again.last["found"], again.last["engine"]) == (ExitCode.OK, 0, "none")
    assert "nothing to replay" in again.stderr


def test_max_counts_over_all_queues_of_a_pattern(scene: Scene) -> None:
    origin = scene.queue("orders")
    queues = [scene.queue(f"dlq-{n}") for n in range(2)]
    references = [scene.queue_ref(dlq, holds="messages", origin_arn=scene.arn(origin)) for dlq in queues]
    scene.publish_pattern("orders", {"dead_letter_queues": references})
    for dlq in queues:
        scene.fill(dlq, numbered(10))

    ran = scene.run("--stack", "dev", "replay-dlq", "orders", "--yes", "--max", "13", "--output", "json")

    assert (ran.code, ran.last["moved"], ran.last["left"]) == (ExitCode.OK, 13, 7)


def test_a_dry_run_needs_no_yes_and_says_where_messages_would_go(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(4))

    ran = scene.run("replay-dlq", "--dlq-url", dlq, "--to", origin, "--dry-run", "--output", "json")

    assert (ran.code, ran.last["moved"], ran.last["left"], ran.last["dry_run"]) == (ExitCode.OK, 0, 4, True)
    assert "4 would go to orders" in ran.stderr
    assert scene.counts(dlq) == (4, 0)


def test_a_destination_that_does_not_exist_or_is_the_queue_itself_is_refused_first(scene: Scene) -> None:
    dlq = scene.queue("orders-dlq")
    scene.fill(dlq, ["one"])

    missing = scene.run("replay-dlq", "--dlq-url", dlq, "--to", dlq.replace("orders-dlq", "nope"), "--yes")
    itself = scene.run("replay-dlq", "--dlq-url", dlq, "--to", dlq, "--yes")
    nowhere = scene.run("replay-dlq", "--dlq-url", dlq.replace("orders-dlq", "nope"), "--yes")

    assert (missing.code, itself.code, nowhere.code) == (ExitCode.ERROR, ExitCode.USAGE, ExitCode.ERROR)
    assert "queue nope: the queue does not exist" in missing.stderr
    assert "itself" in itself.stderr
    assert "aws sqs list-queues" in nowhere.stderr
    assert scene.counts(dlq) == (1, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--yes",), "exactly one"),
        (("orders", "--dlq-url", "http://h/1/q", "--yes"), "exactly one"),
        (("orders", "--yes"), "EDA_STACK"),
        (("--dlq-url", "not a url", "--yes"), "not a queue URL"),
        (("--dlq-url", "http://h/1/q", "--dlq", "x", "--yes"), "--dlq"),
        (("--dlq-url", "http://h/1/q", "--yes", "--rate", "0"), "--rate 0"),
        (("--dlq-url", "http://h/1/q", "--yes", "--rate", "nan"), "--rate nan"),
        (("--dlq-url", "http://h/1/q", "--yes", "--max", "0"), "--max 0"),
        (("--dlq-url", "http://h/1/q", "--yes", "--max-replays", "0"), "--max-replays 0"),
        (("--dlq-url", "http://h/1/q", "--yes", "--concurrency", "300"), "--concurrency 300"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "steam"), "client, native"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "native", "--max", "3"), "--max"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "native", "--where", "body"), "--where"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "native", "--copy"), "--copy"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "native", "--dry-run"), "--dry-run"),
        (("--dlq-url", "http://h/1/q", "--yes", "--engine", "native", "--max-failures", "2"), "--max-failures"),
        (("--dlq-url", "http://h/1/q", "--yes", "--max-failures", "0"), "--max-failures 0"),
        (("--dlq-url", "http://h/1/q", "--yes", "--ramp-up", "9"), "needs the --rate"),
        (("--dlq-url", "http://h/1/q", "--yes", "--rate", "9", "--ramp-up", "-1"), "--ramp-up -1"),
        (("--dlq-url", "http://h/1/q", "--yes", "--rate", "inf"), "--rate inf"),
        (("--dlq-url", "http://h/1/q", "--yes", "--where", "body =="), "no JMESPath expression"),
        (("--dlq-url", "http://h/1/q", "--yes", "--where", "nope(body)"), "no function nope()"),
        (("--dlq-url", "http://h/1/q", "--yes", "--id", " "), "empty message id"),
        (("--dlq-url", "http://h/1/q", "--yes", "--since", "yesterday"), "'yesterday' is no time"),
        (("--dlq-url", "http://h/1/q", "--yes", "--until", "1w"), "'1w' is no time"),
        (("--dlq-url", "http://h/1/q", "--yes", "--since", "1h", "--until", "2h"), "is not after --since"),
        (("--dlq-url", "http://h/1/q", "--yes", "--edit", "[1]"), "must be a JSON object"),
        (("--dlq-url", "http://h/1/q", "--yes", "--edit", "@/no/such/file"), "cannot be read"),
        (("--dlq-url", "http://h/1/q", "--yes", "--backup", "/no/such/folder/file"), "does not exist"),
        (("--dlq-url", "http://h/1/q", "--yes", "--backup", "pyproject.toml"), "not overwritten"),
        (("--resume", "run-9", "--yes"), "no unfinished run has this id"),
        (("orders", "--resume", "run-9", "--yes"), "a pattern's name does not go with it"),
        (("--resume", "run-9", "--yes", "--where", "body"), "--where does not go with it"),
        (("--resume", "run-9", "--yes", "--copy"), "--copy does not go with it"),
        (("--unheard-of",), "No such option"),
    ],
)
def test_wrong_command_lines_exit_2_and_say_why(scene: Scene, words: tuple[str, ...], said: str) -> None:
    ran = scene.run("replay-dlq", *words)

    assert ran.code == ExitCode.USAGE
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_no_credentials_no_endpoint_and_no_region_are_sentences(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    dlq = scene.queue("orders-dlq")
    scene.through("http://127.0.0.1:1")
    unreachable = scene.run("peek-dlq", "--dlq-url", dlq)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    anonymous = scene.run("peek-dlq", "--dlq-url", dlq)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    nowhere = scene.run("peek-dlq", "--dlq-url", dlq)

    assert [ran.code for ran in (unreachable, anonymous, nowhere)] == [ExitCode.ERROR] * 3
    assert "cannot be reached" in unreachable.stderr
    assert "no AWS credentials" in anonymous.stderr
    assert "no AWS region" in nowhere.stderr


def test_an_unexpected_error_is_a_sentence_and_with_eda_debug_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("ops.cli.app", broken)
    monkeypatch.delenv("EDA_DEBUG", raising=False)
    assert main(["status"]) == ExitCode.ERROR

    monkeypatch.setenv("EDA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["status"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["status", "--stack", "dev"], ["--stack", "dev", "status"]),
        (["scale", "orders", "--region=r", "--min", "1"], ["--region=r", "scale", "orders", "--min", "1"]),
        (["send", "--", "--stack"], ["send", "--", "--stack"]),
        (["local", "up", "--region", "r"], ["local", "up", "--region", "r"]),
        (["status", "--stack"], ["status", "--stack"]),
    ],
)
def test_global_options_may_follow_the_command(words: list[str], expected: list[str]) -> None:
    assert with_global_options_first(words) == expected


def test_ops_local_is_listed_without_being_loaded(scene: Scene) -> None:
    before = "ops.commands.local" in sys.modules
    ran = scene.run("--help")

    assert ran.code == ExitCode.OK
    assert "local" in ran.stdout
    assert ("ops.commands.local" in sys.modules) == before


def test_tables_in_a_pipe_are_never_cut_and_json_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "n" * 300, "count": 3, "seconds": 1.23456, "empty": None, "list": ["a", "b"]}]

    Output(Format.TABLE).rows(["name", "count", "seconds", "empty", "list"], rows)
    table = capsys.readouterr().out
    Output(Format.JSON).rows([], rows)
    read = json.loads(capsys.readouterr().out)

    assert "n" * 300 in table
    assert table.splitlines()[1].split()[1:] == ["3", "1.2", "-", "a,", "b"]
    assert read == [{**rows[0], "seconds": 1.235}]


def test_on_a_real_terminal_it_asks_shows_each_queues_progress_and_leaves_stdout_to_json(scene: Scene) -> None:
    origin = scene.queue("orders")
    queues = [scene.queue(f"dlq-{n}") for n in range(2)]
    references = [scene.queue_ref(dlq, holds="messages", origin_arn=scene.arn(origin)) for dlq in queues]
    scene.publish_pattern("orders", {"dead_letter_queues": references})
    for dlq in queues:
        scene.fill(dlq, numbered(30))
    mine, its = pty.openpty()
    words = ("--stack", "dev", "replay-dlq", "orders", "--rate", "40", "--engine", "client", "--output", "json")
    run = subprocess.Popen(
        [sys.executable, "-m", "ops", *words],
        cwd=ROOT,
        env={**scene.environment, "TERM": "xterm", "COLUMNS": "160"},
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=its,
        text=True,
    )
    os.close(its)
    seen = ""
    answered = False
    with contextlib.suppress(OSError):  # the end of a terminal
        while chunk := os.read(mine, 4096).decode(errors="replace"):
            seen += chunk
            if not answered and "Move them?" in seen:
                os.write(mine, b"y\n")
                answered = True
    os.close(mine)
    output, _ = run.communicate(timeout=60)

    assert run.returncode == ExitCode.OK, seen
    assert json.loads(output)["moved"] == 60
    for number in range(2):
        assert re.search(rf"dlq-{number} .*moved, \d+/s, \d+ left, 0 failed", seen), seen
    assert "Traceback" not in seen


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    with show_progress(Output(), "orders-dlq") as progress:
        tally.move(40)
        tally.fail("no room", 2)
        tally.leave_out("--where does not hold")
        progress(tally, 100, 1.0)
        assert capsys.readouterr().err == ""
        progress(tally, 100, 8.0)

    assert capsys.readouterr().err == "orders-dlq: 40/100 moved, 5/s, 57 left, 2 failed, 1 skipped\n"
