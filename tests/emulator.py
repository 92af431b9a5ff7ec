"""An embedded AWS for tests: one server per test process, one account per test."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
REGION = "ap-southeast-2"
_ACCOUNTS = itertools.count(random.randrange(10**11, 9 * 10**11))


_PORTS = range(20_000, 32_000)  # below the kernel's ephemeral range: no outgoing connection takes one in between
# A process of pytest-xdist has ports of its own: another one could take a port between its probe and its use.
_mine = _PORTS[
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
]
_port_numbers = iter(random.Random().sample(_mine, len(_mine)))


def free_port() -> int:
    """A port that nothing listens on, and that this process gives out once."""
    for port in _port_numbers:
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"all {len(_mine)} ports of this process are taken or were given out")


@dataclass
class Account:
    """An AWS account of its own on the running emulator: nothing that another test made is in it."""

    endpoint_url: str
    region: str = REGION
    id: str = field(default_factory=lambda: f"{next(_ACCOUNTS):012d}")

    def client(self, service: str, **config: Any) -> Any:
        return boto3.session.Session().client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.id,
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard"}, **config),
        )

    def environment(self) -> dict[str, str]:
        """What a child process needs to talk to this account and to nothing else."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.id,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }


@contextmanager
def running_emulator(home: Path, *arguments: str, module: str = "ops.local.server") -> Iterator[str]:
    """Start `python -m ops.local.server` (or another module) on a free port; yield its URL; stop it and its tasks."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", module, "--port", str(port), "--home", str(home), *arguments]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(url, server, home / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"the emulator did not start:\n{log.read_text()[-2000:]}")
