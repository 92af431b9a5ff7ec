"""SIGKILL at every boundary of an API call, and the journal that it leaves cut off in its last record.

Every byte of the last record is in test_every_byte.py: here one cut stands for all that read the same, and every
request has its kill.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.child import Job, run
from tests.faults.proxy import FaultsProxy
from tests.faults.schedule import Kill, Run, Schedule
from tests.faults.workbench import carry_out_all
from tests.ops.scene import Scene, numbered

_MESSAGES = 23


def _calls(scene: Scene, *, fifo: bool) -> int:
    """How many requests an undisturbed run makes: attributes, and for each batch a receive, its sends, a delete."""
    suffix = ".fifo" if fifo else ""
    dlq, to = scene.queue(f"orders-dlq{suffix}"), scene.queue(f"orders{suffix}")
    scene.fill(dlq, numbered(_MESSAGES))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        job = Job(
            environment=scene.environment | {"AWS_ENDPOINT_URL": proxy.url},
            dlq=dlq,
            to=to,
            journals=scene.state / "replay",
            lanes=1,
            result=scene.state / "report.json",
        )
        assert run(job)["moved"] == _MESSAGES
        return sum(proxy.calls.values())


def _killed(kill: Kill, *, fifo: bool) -> Schedule:
    return Schedule(
        fifo=fifo,
        messages=_MESSAGES,
        groups=7 if fifo else 1,
        lanes=1,
        filtered=False,
        copying=False,
        runs=(Run(kill=kill),),
    )


def test_killed_at_every_call_a_standard_replay_loses_nothing(scene: Scene, tmp_path: Path) -> None:
    calls = _calls(scene, fifo=False)
    assert calls >= 11
    kills = [Kill(call, acted) for call in range(1, calls + 1) for acted in (False, True)]

    carry_out_all(scene.account.endpoint_url, tmp_path / "benches", [_killed(kill, fifo=False) for kill in kills])


@pytest.mark.soak
def test_killed_at_every_call_a_fifo_replay_loses_and_doubles_nothing(scene: Scene, tmp_path: Path) -> None:
    # All of one group here, so that every message is a request of its own: no schedule has more calls.
    calls = _calls(scene, fifo=True)
    assert calls >= _MESSAGES
    kills = [Kill(call, acted) for call in range(1, calls + 1) for acted in (False, True)]

    carry_out_all(scene.account.endpoint_url, tmp_path / "benches", [_killed(kill, fifo=True) for kill in kills])


@pytest.mark.soak
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_killed_at_every_call_and_its_journal_cut_off_nothing_is_lost(scene: Scene, tmp_path: Path, fifo: bool) -> None:
    # 4: a receive, 5 a send, 6 a delete of one batch and so on; a line feed, a part, the whole record.
    kills = [Kill(call, True, cut) for call in range(3, 12) for cut in (1, 2, 60, 10_000)]

    carry_out_all(scene.account.endpoint_url, tmp_path / "benches", [_killed(kill, fifo=fifo) for kill in kills])
