"""`python -m bench.latency_proxy UPSTREAM_PORT MILLISECONDS`: a TCP proxy on loopback that adds a round-trip time.

It prints its port and forwards until its standard input ends; for each line there it prints how many bytes it has
forwarded. It does not look into the bytes: half of the round trip is added in each direction, and a new connection
waits a whole one, as the handshake would.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from bench.processes import python_module

__all__ = ["Route", "latency_proxy", "main"]

_HOST = "127.0.0.1"


class _Pipe(asyncio.Protocol):
    """One end of a proxied connection: what arrives here leaves at the other end, later."""

    forwarded_bytes = 0
    """Of all connections of this process, in both directions."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes | None] = deque()
        self.transport: asyncio.Transport | None = None
        self.other: _Pipe | None = None
        self.opens_at = 0.0
        """Nothing is forwarded earlier, in the loop's time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._schedule(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._schedule(None)

    def _schedule(self, data: bytes | None) -> None:
        # Timers that are due at the same time run in any order: each takes what is next, not what it was set for.
        self._waiting.append(data)
        self._loop.call_at(max(self._loop.time(), self.opens_at) + self._delay_seconds, self._forward_next)

    def _forward_next(self) -> None:
        data = self._waiting.popleft()
        if self.other is None or self.other.transport is None:
            return
        if data is None:
            self.other.transport.close()
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)
            _Pipe.forwarded_bytes += len(data)


class _Client(_Pipe):
    """The end that a client has connected to; it reads nothing until it is connected to the server."""

    def __init__(self, upstream_port: int, round_trip_seconds: float) -> None:
        super().__init__(round_trip_seconds / 2)
        self._upstream_port = upstream_port
        self._round_trip_seconds = round_trip_seconds
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast("asyncio.Transport", transport).pause_reading()
        self.opens_at = self._loop.time() + self._round_trip_seconds
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport
        server = _Pipe(self._delay_seconds)
        server.other = self
        try:
            await self._loop.create_connection(lambda: server, _HOST, self._upstream_port)
        except OSError:
            self.transport.close()
            return
        self.other = server
        self.transport.resume_reading()


async def _serve(upstream_port: int, round_trip_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(upstream_port, round_trip_seconds), _HOST, 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(f"{_Pipe.forwarded_bytes}\n")
        sys.stdout.flush()
    server.close()


def main(upstream_port: int, milliseconds: float) -> None:
    """Serve until standard input ends, so that the proxy cannot outlive who started it."""
    asyncio.run(_serve(upstream_port, milliseconds / 1000))


class Route:
    """How a contender reaches the server.

    Attributes:
        url: the endpoint to give it.
        delayed: there is a proxy on the way.
    """

    def __init__(self, url: str, proxy: subprocess.Popen[str] | None = None) -> None:
        self.url = url
        self.delayed = proxy is not None
        self._proxy = proxy

    def forwarded_bytes(self) -> int:
        """What has gone through the proxy, in both directions; 0 without one.

        A client that goes to the server's own address leaves the round trip out, and nothing else shows it.
        """
        if self._proxy is None:
            return 0
        assert self._proxy.stdin
        assert self._proxy.stdout
        self._proxy.stdin.write("\n")
        self._proxy.stdin.flush()
        return int(self._proxy.stdout.readline())


@contextmanager
def latency_proxy(upstream_url: str, round_trip_ms: float) -> Iterator[Route]:
    """A route through a proxy in a process of its own; straight to `upstream_url` when nothing is to be added."""
    if not round_trip_ms:
        yield Route(upstream_url)
        return
    port = upstream_url.rsplit(":", 1)[1]
    with python_module("bench.latency_proxy", port, str(round_trip_ms)) as process:
        assert process.stdout
        yield Route(f"http://{_HOST}:{int(process.stdout.readline())}", process)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
