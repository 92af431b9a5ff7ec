"""A proxy in front of the embedded AWS that fails on demand, as the network and AWS do.

Use it as the endpoint of a client or of a child process (``AWS_ENDPOINT_URL=proxy.url``)::

    with FaultsProxy(account.endpoint_url) as proxy:
        proxy.inject("SendMessageBatch", Fault.PARTIAL, times=3)
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ANY", "Fault", "FaultsProxy", "Request"]

ANY = "*"
"""Every action."""


class Fault(StrEnum):
    """What happens to a request."""

    THROTTLED = "throttled"
    """HTTP 400 RequestThrottled, as SQS does."""
    THROTTLED_403 = "throttled-403"
    """HTTP 403 RequestThrottled, as SQS does too."""
    EXPIRED_TOKEN = "expired-token"
    """HTTP 403 ExpiredToken."""
    ACCESS_DENIED = "access-denied"
    UNAVAILABLE = "unavailable"
    """HTTP 503 ServiceUnavailable."""
    DROPPED_BEFORE = "dropped-before"
    """The connection closes and the server never saw the request."""
    DROPPED_AFTER = "dropped-after"
    """The connection closes after the server has acted."""
    DELAYED = "delayed"
    """Answered after `seconds`."""
    PARTIAL = "partial"
    """Every second entry of a batch fails with InternalError and does not reach the server; needs the JSON protocol."""


_ERRORS = {
    Fault.THROTTLED: (400, "RequestThrottled", "Request is throttled."),
    Fault.THROTTLED_403: (403, "RequestThrottled", "Request is throttled."),
    Fault.EXPIRED_TOKEN: (403, "ExpiredToken", "The security token included in the request is expired"),
    Fault.ACCESS_DENIED: (403, "AccessDenied", "Access to the resource is denied."),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable", "Service is unavailable."),
}


@dataclass(frozen=True)
class Request:
    """One request as the proxy saw it."""

    action: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class _Rule:
    action: str
    fault: Fault
    times: int | None
    seconds: float
    when: Callable[[Request], bool]
    then: Callable[[Request], None]


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class FaultsProxy:
    """Forwards to `upstream`; a context manager."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urllib.parse.urlsplit(upstream)
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        """Requests by action, failed ones included."""
        self.faults: Counter[Fault] = Counter()
        """Faults that struck."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy._serve(self)

            def do_PUT(self) -> None:
                proxy._serve(self)

            def do_GET(self) -> None:
                proxy._serve(self)

            def log_message(self, *args: object) -> None:
                pass  # the tests count what they need

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # lanes connect at once: who finds no room tries again after a second

            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exception(), ConnectionError):
                    super().handle_error(request, client_address)  # a client that was killed is none

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def inject(
        self,
        action: str,
        fault: Fault,
        *,
        times: int | None = 1,
        seconds: float = 1.0,
        when: Callable[[Request], bool] = lambda request: True,
        then: Callable[[Request], None] = lambda request: None,
    ) -> None:
        """Fail the next `times` (None: all) requests of `action` (or `ANY`) for which `when` holds.

        `then` is called when the fault has struck: after the server has acted, if it does, and before the answer.
        Rules act in the order of injection, the first that matches a request only.
        """
        with self._lock:
            self._rules.append(_Rule(action, fault, times, seconds, when, then))

    def heal(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def _next_fault(self, request: Request) -> _Rule | None:
        with self._lock:
            self.calls[request.action] += 1
            for rule in self._rules:
                if rule.action in (request.action, ANY) and rule.times != 0 and rule.when(request):
                    if rule.times is not None:
                        rule.times -= 1
                    self.faults[rule.fault] += 1
                    return replace(rule)
        return None

    def _serve(self, connection: BaseHTTPRequestHandler) -> None:
        body = connection.rfile.read(int(connection.headers.get("Content-Length") or 0))
        request = Request(_action(connection, body), connection.path, dict(connection.headers), body)
        rule = self._next_fault(request)
        answer = self._answer(connection.command, request, rule)
        if rule:
            rule.then(request)
        if answer is None:
            connection.close_connection = True
            return
        connection.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                connection.send_header(name, value)
        connection.send_header("Content-Length", str(len(answer.body)))
        connection.end_headers()
        connection.wfile.write(answer.body)

    def _answer(self, method: str, request: Request, rule: _Rule | None) -> _Answer | None:
        if rule is None:
            return self._forward(method, request)
        if rule.fault in _ERRORS:
            return _error(*_ERRORS[rule.fault])
        if rule.fault is Fault.PARTIAL:
            return self._partly(method, request)
        if rule.fault is Fault.DELAYED:
            time.sleep(rule.seconds)
            return self._forward(method, request)
        if rule.fault is Fault.DROPPED_AFTER:
            self._forward(method, request)
        return None

    def _forward(self, method: str, request: Request) -> _Answer:
        upstream = http.client.HTTPConnection(str(self._upstream.hostname), self._upstream.port, timeout=60)
        try:
            skipped = ("content-length", "connection")
            headers = {name: value for name, value in request.headers.items() if name.lower() not in skipped}
            upstream.request(method, request.path, request.body, headers)
            response = upstream.getresponse()
            return _Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            upstream.close()

    def _partly(self, method: str, request: Request) -> _Answer:
        document = json.loads(request.body)
        passed, refused = document["Entries"][1::2], document["Entries"][::2]
        result: dict[str, Any] = {"Successful": [], "Failed": []}
        if passed:
            body = json.dumps({**document, "Entries": passed}).encode()
            answer = self._forward(method, replace(request, body=body))
            if answer.status != 200:
                return answer
            result = {**result, **json.loads(answer.body)}
        result["Failed"] = (result["Failed"] or []) + [
            {"Id": entry["Id"], "Code": "InternalError", "Message": "Internal error", "SenderFault": False}
            for entry in refused
        ]
        return _Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(result).encode())


def _action(connection: BaseHTTPRequestHandler, body: bytes) -> str:
    if target := connection.headers.get("X-Amz-Target"):
        return str(target).rpartition(".")[2]
    if "form-urlencoded" in (connection.headers.get("Content-Type") or ""):
        return urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
    return f"{connection.command} {connection.path}"


def _error(status: int, code: str, message: str) -> _Answer:
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-query-error": f"{code};Sender"}
    return _Answer(status, headers, json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode())
