"""The server as a process: its end, what it leaves, and two of them side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from ops.local.server.task_records import ProcessRecord, TaskRecord, read_records, sweep, write_record
from tests.emulator import ROOT, Account, running_emulator
from tests.ops.local.server.helpers import Fargate, wait_until, write_images

_STUBBORN = "import signal,time; signal.signal(15, lambda *a: None); print('ready')\nwhile True: time.sleep(60)"


def _start_task(url: str, home: Path, command: list[str], image: str = "shell") -> tuple[Fargate, str, int]:
    """A running task, its ARN and the pid of its process."""
    fargate = Fargate(Account(url), home)
    arn = fargate.run(fargate.define("t", command, image=image))
    fargate.wait_for(arn, "RUNNING")
    return fargate, arn, next(r.containers[0].pid for r in read_records(home / "tasks") if r.task_arn == arn)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_sigterm_ends_the_server_and_its_tasks_also_stubborn_ones(tmp_path: Path) -> None:
    write_images(tmp_path)
    with running_emulator(tmp_path) as url:
        _, _, polite = _start_task(url, tmp_path, ["exec sleep 600"])
        fargate, arn, stubborn = _start_task(url, tmp_path, [_STUBBORN], "python")
        wait_until(lambda: "ready" in fargate.log(arn), "the program is up")
    assert _gone(polite)
    assert _gone(stubborn)
    assert read_records(tmp_path / "tasks") == []


def test_after_sigkill_a_sweep_ends_the_tasks(tmp_path: Path) -> None:
    write_images(tmp_path)
    with running_emulator(tmp_path) as url:
        _, _, polite = _start_task(url, tmp_path, ["exec sleep 600"])
        fargate, arn, stubborn = _start_task(url, tmp_path, [_STUBBORN], "python")
        wait_until(lambda: "ready" in fargate.log(arn), "the program is up")
        port = url.rsplit(":", 1)[1]
        (server,) = [child for child in psutil.Process().children() if port in child.cmdline()]
        server.send_signal(signal.SIGKILL)
        server.wait(60)
        assert not _gone(polite)
    assert sweep(tmp_path, grace_seconds=0.3) == 2
    wait_until(lambda: _gone(polite) and _gone(stubborn), "both are gone")
    assert read_records(tmp_path / "tasks") == []
    assert sweep(tmp_path) == 0


def test_a_sweep_leaves_a_stranger_with_the_same_pid_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        created = psutil.Process(stranger.pid).create_time()
        record = TaskRecord("arn:aws:ecs:r:1:task/c/t", (ProcessRecord("main", stranger.pid, created - 60),))
        write_record(tmp_path / "tasks", record)
        assert read_records(tmp_path / "tasks") == [record]
        assert sweep(tmp_path) == 0
        assert stranger.poll() is None
        stranger.kill()
    assert read_records(tmp_path / "tasks") == []


def test_the_sweep_does_not_need_ministack() -> None:
    code = "import sys; import ops.local.server.task_records; print([m for m in sys.modules if 'ministack' in m])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_two_servers_do_not_see_each_other(tmp_path: Path, emulator: str) -> None:
    account = Account(emulator)
    with running_emulator(tmp_path / "second") as url:
        second = Account(url, id=account.id)
        account.client("sqs").create_queue(QueueName="mine")
        assert second.client("sqs").list_queues().get("QueueUrls", []) == []
        write_images(tmp_path / "second")
        _, _, pid = _start_task(url, tmp_path / "second", ["exec sleep 600"])
        listening = [c.laddr.port for p in _servers(url) for c in p.net_connections() if c.status == "LISTEN"]
        assert listening == [int(url.rsplit(":", 1)[1])]
    assert _gone(pid)
    assert account.client("sqs").list_queues()["QueueUrls"]


def _servers(url: str) -> list[psutil.Process]:
    port = url.rsplit(":", 1)[1]
    return [child for child in psutil.Process(os.getpid()).children() if port in child.cmdline()]
