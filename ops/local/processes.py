"""Processes by identity: a pid alone may belong to somebody else by now."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import psutil

__all__ = ["ServerProcess", "child_environment", "find_servers", "port_owner"]

_SERVER_MODULE = "ops.local.server"
_SAME_PROCESS_SECONDS = 2.0
"""psutil adds the boot time, in whole seconds, which moves by one when the clock is adjusted."""


class ServerProcess:
    """One process, named by pid and creation time."""

    def __init__(self, pid: int, create_time: float) -> None:
        self.pid = pid
        self.create_time = create_time

    @property
    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _SAME_PROCESS_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def is_running(self) -> bool:
        return self._process is not None

    def stop(self, grace_seconds: float) -> bool:
        """SIGTERM; SIGKILL after `grace_seconds`. Answers whether it was running."""
        process = self._process
        if process is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            try:
                process.wait(grace_seconds)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(grace_seconds)
        return True


def find_servers(home: Path) -> list[ServerProcess]:
    """Every server of this home, also one that no state file names (the file was deleted, or never written)."""
    found = []
    for process in psutil.process_iter(["cmdline", "create_time"]):
        arguments = process.info["cmdline"] or []
        if _SERVER_MODULE in arguments and str(home) in arguments:
            found.append(ServerProcess(process.pid, process.info["create_time"]))
    return found


def port_owner(port: int) -> str | None:
    """Who listens on this port of 127.0.0.1: ``name (pid 12)``, ``another process``, or None when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return _listener(port) or "another process"
    return None


def _listener(port: int) -> str | None:
    with contextlib.suppress(psutil.Error):  # other users' processes are not visible
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and _port(connection.laddr) == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def _port(address: Any) -> int | None:
    """psutil gives an empty tuple for a socket without an address."""
    return address.port if address else None


def child_environment() -> dict[str, str]:
    """The environment of the server and of the deployer.

    The developer's AWS settings stay out of it (they could only point to a real account), and so does a proxy: every
    request goes to this machine. This very code is importable, whatever the working directory.
    """
    code = str(Path(__file__).resolve().parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH", "")]))
    executables = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return kept | {
        "PATH": executables,
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
