"""Runs that are killed or interrupted: nothing is lost, and the next run continues."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter

import pytest

from ops.actions.replay.journal import Stage, read_journal
from ops.exit_codes import ExitCode
from tests.faults.child import Job, exit_code, forked, run
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.scene import Scene, numbered

_KILLS = 20
_LANES = 4


def _job(scene: Scene, dlq: str, origin: str) -> Job:
    return Job(
        environment=scene.environment,
        dlq=dlq,
        to=origin,
        journals=scene.state / "replay",
        lanes=_LANES,
        result=scene.state.parent / "report.json",
    )


def _kill_while_it_moves(scene: Scene, dlq: str, origin: str, wait: float) -> bool:
    """Start a run, and SIGKILL it `wait` seconds after its journal appeared; False when it had ended before."""
    earlier = set(scene.journals())
    process = forked(_job(scene, dlq, origin))
    while process.is_alive() and not set(scene.journals()) - earlier:
        time.sleep(0.002)
    time.sleep(wait)
    process.kill()
    return exit_code(process, 60) == -signal.SIGKILL


def _finish(scene: Scene, dlq: str, origin: str) -> None:
    """Run until the queue is empty, as an operator would."""
    deadline = time.monotonic() + 60
    while sum(scene.counts(dlq)) and time.monotonic() < deadline:
        report = run(_job(scene, dlq, origin))
        assert not report["error"], report
    assert scene.counts(dlq) == (0, 0)


@pytest.mark.soak
def test_killed_twenty_times_a_standard_replay_loses_nothing(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    sent = 0
    kills = 0
    while kills < _KILLS:
        if scene.counts(dlq)[0] < 200:
            scene.fill(dlq, [f"m{n}" for n in range(sent, sent + 400)])
            sent += 400
        kills += _kill_while_it_moves(scene, dlq, origin, moments.uniform(0, 0.15))
    _finish(scene, dlq, origin)

    arrived = Counter(scene.bodies(origin))
    assert set(arrived) == set(numbered(sent)), f"seed {seed}"
    assert arrived.total() - sent <= kills * _LANES * 10, f"seed {seed}"
    # A kill between a delete and its record leaves an entry about a message that is gone: never one about a message
    # that may not have been sent.
    assert all(entry.stage is Stage.SENT for path in scene.journals() for entry in read_journal(path).open.values())


@pytest.mark.soak
def test_killed_twenty_times_a_fifo_replay_loses_nothing_doubles_nothing_and_keeps_the_order(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq.fifo"), scene.queue("orders.fifo")
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    groups = [f"g{n}" for n in range(20)]
    rounds = 0
    kills = 0
    while kills < _KILLS:
        if scene.counts(dlq)[0] < 150:
            for n in range(rounds, rounds + 20):
                for half in (groups[:10], groups[10:]):
                    entries = [
                        {
                            "Id": group,
                            "MessageBody": f"{group}:{n}",
                            "MessageGroupId": group,
                            "MessageDeduplicationId": f"{group}:{n}",
                        }
                        for group in half
                    ]
                    scene.sqs.send_message_batch(QueueUrl=dlq, Entries=entries)
            rounds += 20
        kills += _kill_while_it_moves(scene, dlq, origin, moments.uniform(0, 0.15))
    _finish(scene, dlq, origin)

    arrived = scene.bodies(origin)
    for group in groups:
        mine = [body for body in arrived if body.startswith(f"{group}:")]
        assert mine == [f"{group}:{n}" for n in range(rounds)], f"seed {seed}"
    assert len(arrived) == rounds * len(groups)


def test_killed_between_send_and_delete_the_rerun_deletes_and_sends_nothing_twice(scene: Scene) -> None:
    dlq, origin = scene.queue("orders-dlq"), scene.queue("orders")
    scene.fill(dlq, numbered(100))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        # No delete comes through: when the kill strikes, every batch is between send and delete.
        proxy.inject("DeleteMessageBatch", Fault.DELAYED, seconds=60, times=None)
        process = forked(_job(scene, dlq, origin))
        while scene.counts(origin)[0] < _LANES * 10:
            time.sleep(0.005)
        while proxy.calls["DeleteMessageBatch"] < _LANES:
            time.sleep(0.005)
        process.kill()
        assert exit_code(process, 60) == -signal.SIGKILL
        proxy.heal()
        listed = scene.run("replay-dlq", "--list-runs", "--output", "json")
        [killed] = json.loads(listed.stdout)
        report = run(_job(scene, dlq, origin))

    assert (killed["ended"], killed["moved"], killed["sent"], killed["unknown"]) == ("killed", 0, _LANES * 10, 0)
    assert (killed["queue"], killed["request"]["to"]) == ("orders-dlq", origin)
    assert (report["found"], report["moved"], report["recovered"]) == (100, 100, _LANES * 10)
    assert report["duplicates_possible"] == 0
    assert Counter(scene.bodies(origin)) == Counter(numbered(100))


def test_ctrl_c_and_sigterm_give_everything_back(scene: Scene) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        dlq, origin = scene.queue(f"dlq-{number}"), scene.queue(f"orders-{number}")
        scene.fill(dlq, numbered(300))
        command = ("replay-dlq", "--dlq-url", dlq, "--to", origin, "--yes", "--output", "json", "--rate", "100")
        command_run = scene.start(*command, "--engine", "client")
        while scene.counts(origin)[0] < 20:
            assert command_run.poll() is None, command_run.communicate()
            time.sleep(0.01)
        command_run.send_signal(number)
        output, errors = command_run.communicate(timeout=30)

        assert command_run.returncode == ExitCode.INTERRUPTED, errors
        report = json.loads(output.splitlines()[-1])
        assert report["moved"] + report["left"] == 300
        assert 0 < report["moved"] < 300
        assert scene.counts(dlq) == (report["left"], 0)
        assert scene.counts(origin) == (report["moved"], 0)
        assert "interrupted" in errors
