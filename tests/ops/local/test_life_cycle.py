"""`ops local up`, `status`, `logs`, `down`: nothing is left behind, whatever was killed in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from ops.local.supervisor import is_healthy, stop
from tests.emulator import free_port
from tests.ops.local.project import SLEEPER, Project


def _eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_env_points_a_shell_at_the_local_stack_and_away_from_a_real_account(project: Project) -> None:
    # GIVEN nothing runs THEN it says how to start, and prints nothing that a shell could evaluate
    nothing = project.ops("env")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "ops local up" in nothing.stderr

    # WHEN it runs
    assert project.ops("up").returncode == 0
    shell = f'eval "$({sys.executable} -m ops local env)" && env'
    _, environment = project.command("env")
    seen = subprocess.run(
        ["sh", "-c", shell], cwd=project.root, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    # THEN
    assert f"AWS_ENDPOINT_URL=http://127.0.0.1:{project.port}" in seen
    assert "EDA_STACK=local" in seen
    assert not [line for line in seen if line.startswith("AWS_PROFILE=")]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project.create(tmp_path.resolve() / "checkout", free_port())
    yield made
    stop(made.home)
    assert made.processes() == []


def test_up_deploys_and_down_leaves_nothing(project: Project) -> None:
    # GIVEN nothing runs
    assert project.status()["running"] is False

    # WHEN
    up = project.ops("up")

    # THEN the stack is in it, and the state says so
    assert up.returncode == 0, up.stderr
    assert "1 resources" in up.stderr
    status = project.status()
    assert (status["running"], status["port"], status["resources"]) == (True, project.port, 1)
    assert status["pid"] == project.state.pid
    queues = boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{project.port}",
        region_name="eu-west-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="test",
    ).list_queues()["QueueUrls"]
    assert queues == [status["outputs"]["queue"]]

    # WHEN
    down = project.ops("down")

    # THEN
    assert down.returncode == 0
    assert "stopped" in down.stderr
    assert project.processes() == []
    assert project.status()["running"] is False
    again = project.ops("down")
    assert (again.returncode, "nothing was running" in again.stderr) == (0, True)


def test_a_second_up_reuses_an_unchanged_program_and_replaces_a_changed_one(project: Project) -> None:
    assert project.ops("up").returncode == 0
    first = project.state

    unchanged = project.ops("up")
    assert (unchanged.returncode, project.state.pid) == (0, first.pid)
    assert "already up" in unchanged.stderr

    (project.root / "__main__.py").write_text('import pulumi\npulumi.export("motto", "served hot")\n')
    changed = project.ops("up")
    assert changed.returncode == 0
    assert "the program has changed: starting afresh" in changed.stderr
    assert project.state.pid != first.pid
    assert project.state.outputs == {"motto": "served hot"}

    other_port = free_port()
    moved = project.ops("up", "--port", str(other_port))
    assert (moved.returncode, project.state.port) == (0, other_port)
    assert not is_healthy(project.port)


def test_down_and_up_after_the_server_was_killed(project: Project) -> None:
    (project.root / "__main__.py").write_text(SLEEPER)
    assert project.ops("up").returncode == 0
    home = project.home
    home.images.write_text(json.dumps({"sleeper": {"command": [sys.executable, "-c", "import time; time.sleep(600)"]}}))

    def task() -> psutil.Process | None:
        for record in (home.path / "tasks").glob("*.json"):
            pid = json.loads(record.read_text())["pid"]
            return psutil.Process(pid) if psutil.pid_exists(pid) else None
        return None

    for command in ("down", "up"):
        _eventually(lambda: task() is not None)
        orphan = task()
        assert orphan is not None
        os.kill(project.state.pid, signal.SIGKILL)

        done = project.ops(command)

        assert done.returncode == 0, done.stderr
        assert "had left behind" in done.stderr
        assert _ended(orphan)
        if command == "down":
            assert project.ops("up").returncode == 0
            home.images.write_text(
                json.dumps({"sleeper": {"command": [sys.executable, "-c", "import time; time.sleep(600)"]}})
            )


def test_a_lost_state_file_does_not_hide_the_server(project: Project) -> None:
    assert project.ops("up").returncode == 0
    project.home.state_file.unlink()

    assert "stopped" in project.ops("down").stderr

    assert not is_healthy(project.port)


def test_a_taken_port_is_an_error_that_says_by_whom(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", project.port))
        taken.listen()

        up = project.ops("up")

    assert up.returncode == 1
    assert f"port {project.port} is taken by" in up.stderr
    assert f"(pid {os.getpid()})" in up.stderr
    assert "--port" in up.stderr
    assert project.processes() == []


def test_a_program_that_cannot_be_deployed_leaves_nothing(project: Project) -> None:
    (project.root / "__main__.py").write_text('import pulumi_aws as aws\naws.sqs.Queue("orders", delay_seconds=-1)\n')

    up = project.ops("up")

    assert up.returncode == 1
    assert "urn:pulumi:local::eda::aws:sqs/queue:Queue::orders: CreateQueue answered" in up.stderr
    assert "Traceback" not in up.stderr
    assert project.processes() == []
    assert "Traceback" in (project.home.path / "deployer.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(project: Project, number: signal.Signals) -> None:
    # GIVEN an up that is in the middle of its deployment
    (project.root / "__main__.py").write_text(
        'import time\nfrom pathlib import Path\nPath("deploying").touch()\ntime.sleep(60)\n'
    )
    command, environment = project.command("up")
    up = subprocess.Popen(command, cwd=project.root, env=environment, stderr=subprocess.PIPE, text=True)
    _eventually((project.root / "deploying").exists)

    # WHEN
    up.send_signal(number)
    _, talk = up.communicate(timeout=60)

    # THEN
    assert up.returncode == 130
    assert "Traceback" not in talk
    assert project.processes() == []
    assert not project.home.state_file.exists()


def test_only_one_command_at_a_time_starts_or_stops(project: Project) -> None:
    with project.home.locked():
        up = project.ops("up")
    assert up.returncode == 1
    assert f"another `ops local` command (process {os.getpid()})" in up.stderr


def test_two_checkouts_run_side_by_side(project: Project, tmp_path: Path) -> None:
    other = Project.create(tmp_path.resolve() / "other", free_port())
    try:
        assert project.ops("up").returncode == 0
        assert other.ops("up").returncode == 0
        assert project.ops("down").returncode == 0
        _eventually(lambda: is_healthy(other.port))
        assert other.status()["running"] is True
        assert not is_healthy(project.port)
    finally:
        other.ops("down")
    assert other.processes() == []


def test_outside_of_a_project_it_says_where_to_go(tmp_path: Path) -> None:
    done = Project(tmp_path, free_port()).ops("status")
    assert done.returncode == 1
    assert "no Pulumi.yaml in" in done.stderr


@pytest.mark.parametrize(("port", "exit_code"), [("0", 2), ("65536", 2), ("http", 2)])
def test_a_port_that_is_none_is_refused(project: Project, port: str, exit_code: int) -> None:
    assert project.ops("up", "--port", port).returncode == exit_code
