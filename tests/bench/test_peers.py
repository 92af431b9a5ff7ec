"""Who takes part, and who must not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import peers
from bench.isolation import isolated_command
from bench.latency_proxy import latency_proxy
from bench.processes import ROOT, CommandError
from bench.works import replay
from bench.works.scene import Scene
from bench.works.size import QUICK


@pytest.fixture
def everything_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "OUT", tmp_path)
    for peer in peers.PEERS:
        peer.folder.mkdir(parents=True)
        (peer.folder / ".installed").touch()


@pytest.mark.usefixtures("everything_installed")
def test_a_peer_that_phones_home_needs_a_network_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replay, "only_loopback", lambda: False)
    reasons: dict[str, str] = {}
    names = [one.name for one in replay.contenders(reasons)]
    assert not [name for name in names if name.startswith("lumigo")]
    assert "phones home" in reasons["lumigo-cli"]
    monkeypatch.setattr(replay, "only_loopback", lambda: True)
    assert {"lumigo-10", "lumigo-32"} <= {one.name for one in replay.contenders({})}


def test_who_is_not_installed_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peers, "OUT", tmp_path)
    reasons = {"sqs-mover": "its installation failed: no such version"}
    names = {one.name for one in replay.contenders(reasons)}
    assert names == {"ops replay-dlq", "boto3-loop", "loop-32x1", "loop-16x2"}
    assert reasons == {"sqs-mover": "its installation failed: no such version", "lumigo-cli": "not installed"}


def test_without_npm_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peers, "OUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peers.install(peers.LUMIGO) == "npm and node are not on the PATH"
    assert not peers.LUMIGO.installed


def test_every_peer_is_pinned():
    assert all(peer.version[0].isdigit() and all("@" in one for one in peer.beside) for peer in peers.PEERS)


def test_the_isolated_process_sees_loopback_and_nothing_else():
    code = (
        "import socket; from bench.isolation import only_loopback, raise_loopback\n"
        "assert only_loopback(); raise_loopback()\n"
        "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname()).close()\n"
        "try: socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
        "except OSError as error: print(type(error).__name__, error.errno)\n"
    )
    command = isolated_command([sys.executable, "-c", code])
    if command is None:
        pytest.skip("this machine cannot make a network namespace")
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=30)
    assert done.stdout == "OSError 101\n", done.stderr  # ENETUNREACH


def test_a_contender_that_goes_around_the_proxy_is_not_counted(emulator: str, tmp_path: Path):
    def around(scene: Scene) -> list[str]:
        code = f"import os, runpy, sys; os.environ['AWS_ENDPOINT_URL'] = {emulator!r}; sys.argv = sys.argv[1:]; "
        code += "runpy.run_path(sys.argv[0], run_name='__main__')"
        program = str(ROOT / "bench" / "contenders" / "boto3_replay.py")
        return [sys.executable, "-c", code, program, scene.dlq_url, scene.queue_url, "1", "1"]

    cheat = replay.Contender("cheat", "cheat 1.0", around)
    with latency_proxy(emulator, 10) as route, pytest.raises(CommandError, match="cheat went around the proxy"):
        replay.measure_once(QUICK, 10, cheat, emulator, route, tmp_path)
