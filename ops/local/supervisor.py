"""Starts and stops the embedded AWS of a home, as a process that outlives the command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import psutil

from ops.local.errors import LocalError
from ops.local.home import PORT_VARIABLE, Home, State
from ops.local.processes import ServerProcess, child_environment, find_servers, port_owner
from ops.local.server.task_records import sweep

__all__ = ["SPEEDUP", "Stopped", "is_healthy", "is_running", "start", "stop"]

SPEEDUP = 30
"""A minute of AWS (alarm periods, cooldowns, retry back-off) lasts two seconds here."""
_START_SECONDS = 30.0
_STOP_SECONDS = 12.0
"""The server gives its tasks 3 s; longer than this means that it hangs."""
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 15


class Stopped:
    """What `stop` found.

    Attributes:
        servers: how many server processes were running.
        tasks: how many task processes a dead server had left behind.
    """

    def __init__(self, servers: int, tasks: int) -> None:
        self.servers = servers
        self.tasks = tasks


def is_running(state: State | None) -> bool:
    """Whether the very process that the state names is alive."""
    return state is not None and ServerProcess(state.pid, state.create_time).is_running()


def is_healthy(port: int) -> bool:
    """Whether an embedded AWS answers on this port."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with opener.open(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def start(home: Home, *, port: int, auth: bool = False, speedup: float = SPEEDUP) -> State:
    """Start the server in the background and wait until it answers. What was started is written down at once.

    Raises:
        LocalError: the port is taken, or the server did not come up; with the end of its log.
    """
    owner = port_owner(port)
    if owner is not None:
        raise LocalError(f"port {port} is taken by {owner}; choose another one with --port, or set {PORT_VARIABLE}")
    command = [sys.executable, "-m", "ops.local.server", "--port", str(port), "--home", str(home.path)]
    command += ["--speedup", str(speedup), *(["--auth"] if auth else [])]
    home.path.mkdir(parents=True, exist_ok=True)
    with home.server_log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=home.root,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in this terminal is not for the server
        )
    state = State(
        pid=process.pid,
        create_time=psutil.Process(process.pid).create_time(),
        port=port,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        auth=auth,
    )
    home.write(state)
    _wait_until_healthy(home, process, port)
    return state


def _wait_until_healthy(home: Home, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalError(
                f"the embedded AWS ended with exit code {process.returncode} while it started\n{_log_tail(home)}"
            )
        if is_healthy(port):
            return
        time.sleep(_POLL_SECONDS)
    raise LocalError(f"the embedded AWS did not answer within {_START_SECONDS:.0f} s\n{_log_tail(home)}")


def _log_tail(home: Home) -> str:
    lines = []
    with contextlib.suppress(OSError):
        lines = home.server_log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "\n".join([f"the end of {home.server_log}:", *(f"  {line}" for line in lines)])


def stop(home: Home) -> Stopped:
    """End the server of this home, whoever started it, and every task process that it or a killed one left."""
    servers = find_servers(home.path)
    state = home.read()
    if state is not None and all(server.pid != state.pid for server in servers):
        servers.append(ServerProcess(state.pid, state.create_time))
    stopped = sum(server.stop(_STOP_SECONDS) for server in servers)
    tasks = sweep(home.path)
    home.forget()
    return Stopped(stopped, tasks)
