"""A server whose every answer is written down: byte by byte what a client may meet on the wire."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["CLOSE", "PAUSE", "Conversation", "answer", "serving"]

CLOSE, PAUSE = b"<close>", b"<pause>"
"""In a script: close the connection here; wait until the client has given up, or says something else."""


def answer(document: object, status: str = "200 OK", *headers: str) -> bytes:
    """An answer as SQS gives it."""
    body = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/x-amz-json-1.0", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Conversation:
    """What a server has seen.

    Attributes:
        url: where it listens.
        connections: how many were made.
        requests: heads of the requests, in order.
        bodies: their bodies.
        closed: a connection that the script closes is closed.
    """

    url: str
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(*script: Sequence[bytes], context: ssl.SSLContext | None = None) -> Iterator[Conversation]:
    """Answer the n-th request with the n-th part of the script, on whatever connection it comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme, host = ("https", "localhost") if context else ("http", "127.0.0.1")
        seen = Conversation(f"{scheme}://{host}:{listener.getsockname()[1]}")
        left = list(script)
        lock = threading.Lock()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    seen.connections += 1
                    threading.Thread(target=talk, args=(link,), daemon=True).start()

        def talk(link: socket.socket) -> None:
            with suppress(OSError), link:
                spoken = context.wrap_socket(link, server_side=True) if context else link
                with spoken:
                    while _read(spoken, seen):
                        with lock:
                            parts = left.pop(0)
                        for part in parts:
                            if part == CLOSE:
                                spoken.close()
                                seen.closed.set()
                                return
                            if part == PAUSE:
                                spoken.recv(1)
                            else:
                                spoken.sendall(part)

        threading.Thread(target=accept, daemon=True).start()
        yield seen
        listener.shutdown(socket.SHUT_RDWR)


def _read(link: socket.socket, seen: Conversation) -> bool:
    data = b""
    while b"\r\n\r\n" not in data:
        more = link.recv(65_536)
        if not more:
            return False
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += link.recv(65_536)
    seen.requests.append(head.decode())
    seen.bodies.append(body)
    return True
