from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.emulator import Account, free_port
from tests.worker.support import Shop, envelope, wait_for
from tests.worker.test_hand import Clock
from worker.protection import EXPIRES_MINUTES, IDLE_SECONDS, RETRY_SECONDS, TaskProtection

PROTECT = {"ProtectionEnabled": True, "ExpiresInMinutes": EXPIRES_MINUTES}
RELEASE = {"ProtectionEnabled": False}


class Agent:
    """The task protection endpoint of an ECS agent."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.answers: list[tuple[int, dict[str, Any]]] = []
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                agent.paths.add(self.path)
                agent.requests.append(body)
                status, answer = agent.answers.pop(0) if agent.answers else (200, {"protection": body})
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: object) -> None:
                pass  # the tests look at the requests

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}/api/token"


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    threading.Thread(target=agent.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield agent
    agent.server.shutdown()
    agent.server.server_close()


class Bench:
    def __init__(self, uri: str | None) -> None:
        self.clock = Clock()
        self.busy = False
        self.protection = TaskProtection(uri, lambda: self.busy, clock=self.clock, request_timeout_seconds=20)

    def at(self, seconds: float, *, busy: bool) -> None:
        self.clock.now = 1000 + seconds
        self.busy = busy
        self.protection.update()


def test_a_busy_task_is_protected_before_its_work_begins_and_once(agent: Agent) -> None:
    bench = Bench(agent.uri)
    bench.protection.begin_work()
    bench.protection.begin_work()
    bench.at(1, busy=True)
    assert agent.requests == [PROTECT]
    assert agent.paths == {"/api/token/task-protection/v1/state"}


def test_an_idle_moment_does_not_end_the_protection_but_idleness_does(agent: Agent) -> None:
    bench = Bench(agent.uri)
    bench.protection.begin_work()
    bench.at(1, busy=True)
    bench.at(1 + IDLE_SECONDS - 0.1, busy=False)
    assert agent.requests == [PROTECT]
    bench.at(1 + IDLE_SECONDS, busy=False)
    bench.at(2 + IDLE_SECONDS, busy=False)
    assert agent.requests == [PROTECT, RELEASE]
    bench.protection.begin_work()
    assert agent.requests == [PROTECT, RELEASE, PROTECT]


def test_the_protection_of_long_work_is_renewed_before_it_expires(agent: Agent) -> None:
    bench = Bench(agent.uri)
    bench.protection.begin_work()
    bench.at(EXPIRES_MINUTES * 30 - 1, busy=True)
    assert agent.requests == [PROTECT]
    bench.at(EXPIRES_MINUTES * 30, busy=True)
    bench.at(EXPIRES_MINUTES * 30 + 1, busy=True)
    assert agent.requests == [PROTECT, PROTECT]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": {"Code": "ServerException"}}),
        (400, {"error": {"Code": "ThrottlingException"}}),
        (200, {"failure": {"Reason": "DEPLOYMENT_BLOCKED"}}),
    ],
)
def test_a_refusal_is_logged_and_repeated_after_a_while(
    agent: Agent, answer: tuple[int, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    agent.answers = [answer]
    bench = Bench(agent.uri)
    bench.protection.begin_work()
    assert "cannot turn task scale-in protection on" in caplog.text
    bench.protection.begin_work()
    bench.at(RETRY_SECONDS - 1, busy=True)
    assert len(agent.requests) == 1
    bench.at(RETRY_SECONDS, busy=True)
    assert agent.requests == [PROTECT, PROTECT]


def test_no_agent_at_the_address_does_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(f"http://127.0.0.1:{free_port()}")
    bench.protection.begin_work()
    assert "work goes on" in caplog.text


def test_outside_ecs_there_is_no_protection() -> None:
    bench = Bench(None)
    bench.protection.begin_work()
    bench.protection.watch(threading.Event())  # returns at once
    assert not bench.protection.enabled


def test_a_worker_is_protected_while_it_works(agent: Agent, account: Account, tmp_path: Path) -> None:
    shop = Shop(account, tmp_path)
    with shop.worker(ECS_AGENT_URI=agent.uri, CONCURRENCY="2"):
        shop.send([envelope("k0", gate=1)])
        wait_for("the work to begin", shop.calls)
        assert agent.requests == [PROTECT]
        for number in range(1, 4):
            shop.send([envelope(f"k{number}")])
            wait_for("the work", lambda: shop.counts() == (0, 1))
        assert agent.requests == [PROTECT]
        shop.open_gate()
        wait_for("the end of the protection", lambda: len(agent.requests) > 1, seconds=IDLE_SECONDS + 20)
    assert agent.requests == [PROTECT, RELEASE]
