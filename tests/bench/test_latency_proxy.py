"""The proxy adds time, and changes nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench.latency_proxy import latency_proxy

HOST = "127.0.0.1"


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets, on several connections; yields its port."""
    listening = socket.create_server((HOST, 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


def connect(url: str) -> socket.socket:
    connection = socket.create_connection((HOST, int(url.rsplit(":", 1)[1])), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(65536)
        assert part, f"closed after {len(data)} of {length} bytes"
        data += part
    return data


def test_without_latency_there_is_no_proxy():
    with latency_proxy("http://127.0.0.1:4566", 0) as route:
        assert (route.url, route.delayed, route.forwarded_bytes()) == ("http://127.0.0.1:4566", False, 0)


def test_a_round_trip_takes_at_least_what_was_asked_for(echo: int):
    with latency_proxy(f"http://{HOST}:{echo}", 60) as route, connect(route.url) as connection:
        for expected in (0.12, 0.06):  # the first one also makes the connection
            begun = time.monotonic()
            connection.sendall(b"ping")
            assert receive(connection, 4) == b"ping"
            assert time.monotonic() - begun >= expected - 0.001


def test_every_byte_arrives_in_order_also_what_is_sent_before_the_connection_stands(echo: int):
    pieces = [bytes([number % 256]) * (number % 700 + 1) for number in range(600)]
    with latency_proxy(f"http://{HOST}:{echo}", 20) as route, connect(route.url) as connection:

        def send() -> None:
            for piece in pieces:
                connection.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        whole = b"".join(pieces)
        assert receive(connection, len(whole)) == whole
        sender.join()
        assert route.forwarded_bytes() == 2 * len(whole)


def test_a_server_that_is_not_there_closes_the_connection():
    with socket.create_server((HOST, 0)) as unused:
        port = unused.getsockname()[1]
    with latency_proxy(f"http://{HOST}:{port}", 5) as route, connect(route.url) as connection:
        assert connection.recv(1) == b""
