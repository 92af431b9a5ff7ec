"""A worker that serves an API, its idempotency table, and callers."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import environment as names
from tests.emulator import ROOT, Account, free_port
from tests.worker.handlers import GATE
from tests.worker.support import calls_in, envelope, lines_of, wait_for

__all__ = ["Counter", "Kitchen", "Reply", "Server"]


@dataclass(frozen=True)
class Reply:
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """One ``python -m worker api``."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self.port = int(environment[names.API_PORT])
        self.log = directory / f"worker-{uuid.uuid4().hex[:8]}.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "worker", "api"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def connect(self, timeout_seconds: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)

    def request(
        self, method: str, path: str, body: str | bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, body: str | bytes, **headers: str) -> Reply:
        return self.request("POST", "/events", body, {name.replace("_", "-"): value for name, value in headers.items()})

    def post_all(self, bodies: list[str], callers: int) -> list[Reply]:
        """Post each body, so many at a time; the replies in the bodies' order."""
        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(self.post, bodies))

    def healthy(self) -> bool:
        try:
            return self.request("GET", "/health").status == 200
        except OSError:
            return False

    def ready(self) -> bool:
        assert self.process.poll() is None, self.text()
        return self.healthy()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return lines_of(self.log)

    def outcomes(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.lines() if "outcome" in line)


class Kitchen:
    """An idempotency table, and the trace of tests.worker.handlers."""

    def __init__(self, account: Account, trace: Path) -> None:
        self.trace = trace
        account.client("dynamodb").create_table(
            TableName="keys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.environment = {
            **account.environment(),
            names.HANDLER: "tests.worker.handlers:handle",
            names.PATTERN: "menu",
            names.STOP_TIMEOUT_SECONDS: "20",
            names.IDEMPOTENCY_TABLE: "keys",
            names.API_HOST: "127.0.0.1",
            "TRACE": str(trace),
        }

    def start(self, **environment: str) -> Server:
        return Server({**self.environment, names.API_PORT: str(free_port()), **environment}, self.trace)

    @contextmanager
    def server(self, **environment: str) -> Iterator[Server]:
        """A server that is stopped with SIGTERM, and must then exit with 0."""
        server = self.start(**environment)
        try:
            wait_for("the server", server.ready)
            yield server
            server.terminate()
            assert server.process.wait(60) == 0, server.text()
        finally:
            server.kill()

    def calls(self, what: str = "begin") -> list[dict[str, Any]]:
        """What the handler did, in order."""
        return calls_in(self.trace, what)

    def open_gate(self) -> None:
        """Let the handlers end that were told to wait for it."""
        (self.trace / GATE).touch()

    def attempts(self) -> Counter[str]:
        return Counter(call["key"] for call in self.calls())


def order(key: str, **data: Any) -> str:
    """An event's body."""
    return envelope(key, **data)
