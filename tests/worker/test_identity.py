"""The name under which others see this worker."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contracts import environment as names
from worker.identity import worker_name

_ARN = "arn:aws:ecs:ap-southeast-2:123456789012:task/cluster/0a1b2c3d4e5f"


class _Agent(BaseHTTPRequestHandler):
    answer = json.dumps({"TaskARN": _ARN})

    def do_GET(self) -> None:
        found = self.path == "/v4/id/task"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.answer.encode() if found else b"")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in the base class
        """Quiet."""


@pytest.fixture
def agent() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v4/id"
    server.shutdown()
    server.server_close()


def test_a_task_goes_by_its_id(agent: str) -> None:
    assert worker_name({names.ECS_METADATA_URI: agent}) == "0a1b2c3d4e5f"


def test_elsewhere_it_is_the_hosts_name() -> None:
    assert worker_name({}) == socket.gethostname()


@pytest.mark.parametrize("answer", ["no JSON", "{}", "[]"])
def test_an_agent_that_makes_no_sense_is_no_reason_to_stop(
    agent: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Agent, "answer", answer)
    assert worker_name({names.ECS_METADATA_URI: agent}) == socket.gethostname()
    assert worker_name({names.ECS_METADATA_URI: "http://127.0.0.1:9/v4"}) == socket.gethostname()
