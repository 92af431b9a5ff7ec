"""The local environment as a whole: a server with the project's stack in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from ops.local import supervisor
from ops.local.errors import LocalError
from ops.local.fingerprint import program_fingerprint
from ops.local.home import DEFAULT_PORT, Home, State
from ops.local.processes import child_environment
from ops.local.server.task_records import TaskRecord, read_records

__all__ = ["STACK", "Status", "Up", "choose_port", "down", "require_running", "status", "up"]

STACK = "local"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Up:
    """What `up` did. `reused`: the environment was running already, with this very program."""

    state: State
    reused: bool


@dataclass(frozen=True)
class Status:
    """What is there. `state` is None when no server runs."""

    state: State | None
    tasks: tuple[TaskRecord, ...]


def choose_port(option: int | None, home: Home) -> int:
    """The port asked for (by option or environment variable), else that of the last server here, else 4566."""
    if option is not None:
        return option
    state = home.read()
    return state.port if state else DEFAULT_PORT


def up(home: Home, *, port: int, auth: bool, say: Say) -> Up:
    """Start the server and deploy the stack, unless both are there already.

    Whatever ends it early (an error, Ctrl-C, SIGTERM) leaves no process behind.

    Raises:
        LocalError: the port is taken, the server does not start, or the program cannot be deployed.
    """
    with home.locked():
        fingerprint = program_fingerprint(home.root, STACK)
        state = home.read()
        if state is not None and supervisor.is_running(state) and supervisor.is_healthy(state.port):
            reason = _why_restart(state, fingerprint, port, auth)
            if reason is None:
                return Up(state, reused=True)
            say(f"{reason}: starting afresh")
        _say_stopped(supervisor.stop(home), say if state is not None else lambda text: None)
        home.clear()
        try:
            with _interruptible():
                say(f"starting the embedded AWS on port {port} ...")
                state = supervisor.start(home, port=port, auth=auth)
                state = state.deployed(fingerprint=fingerprint, deployment=_deploy(home, state))
                home.write(state)
        except BaseException:
            with _deaf():
                supervisor.stop(home)
            raise
        return Up(state, reused=False)


def _why_restart(state: State, fingerprint: str, port: int, auth: bool) -> str | None:
    if not state.fingerprint:
        return "the last deployment did not finish"
    if state.fingerprint != fingerprint:
        return "the program has changed"
    if state.port != port:
        return f"another port than {state.port} is asked for"
    if state.auth != auth:
        return f"--{'auth' if auth else 'no-auth'} is asked for"
    return None


def _deploy(home: Home, state: State) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "ops.local.deployer", "--stack", STACK]
    command += ["--port", str(state.port), "--home", str(home.path)]
    # A session of its own: Ctrl-C reaches this process only, which then ends the deployer and the server in order.
    deployer = subprocess.Popen(
        command, cwd=home.root, env=child_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        answer, _ = deployer.communicate()
    except BaseException:
        deployer.kill()
        deployer.wait()
        raise
    if deployer.returncode != 0:
        raise LocalError(f"the stack {STACK!r} was not deployed: see above; nothing is left running")
    deployment: Mapping[str, Any] = json.loads(answer.splitlines()[-1])
    return deployment


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _interruptible() -> AbstractContextManager[None]:
    """SIGTERM and a closed terminal end the work inside as Ctrl-C does."""
    return _handling(_interrupt, signal.SIGTERM, signal.SIGHUP)


def _deaf() -> AbstractContextManager[None]:
    """A second Ctrl-C must not stop the clearing up."""
    return _handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handling(handler: Any, *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # where Python handles no signals
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def down(home: Home, say: Say) -> None:
    """End the server and every task. Nothing to do is fine too."""
    with home.locked():
        stopped = supervisor.stop(home)
    if not _say_stopped(stopped, say):
        say("nothing was running")


def _say_stopped(stopped: supervisor.Stopped, say: Say) -> bool:
    if stopped.servers:
        say("stopped the embedded AWS and its tasks")
    if stopped.tasks:
        say(f"ended {stopped.tasks} task process(es) that a killed server had left behind")
    return bool(stopped.servers or stopped.tasks)


def status(home: Home) -> Status:
    state = home.read()
    running = state if supervisor.is_running(state) else None
    records = read_records(home.path / "tasks") if running else []
    alive = tuple(record for record in records if any(process.is_running() for process in record.containers))
    return Status(running, alive)


def require_running(home: Home) -> State:
    """The state of a server that runs with a stack in it; else an error that says how to get there."""
    state = status(home).state
    if state is None or not state.fingerprint:
        raise LocalError("the local environment is not running; start it with: ops local up")
    return state
