"""A short way for botocore's requests: each thread keeps one connection, and llhttp (httptools) reads the answers.

botocore serializes, signs, parses and classifies as ever; only what carries the bytes is another. Much of the processor
time of a small request is urllib3's and http.client's: headers, and a pool that a thread with its own connection does
not need. See docs/adr/0015-a-short-way-for-requests.md.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import httptools
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.client import BaseClient

__all__ = ["ShortWay", "find_short_way", "use_short_way"]

_CHUNK_BYTES = 65_536

_Client = TypeVar("_Client", bound="BaseClient")


def use_short_way(client: _Client, session: Session) -> _Client:
    """Make a client send its requests the short way, and return it.

    For clients whose answers are small and read whole (SQS, DynamoDB): an answer is held in memory. Where a proxy or a
    client certificate is in use the client stays as it is: that is urllib3's trade.

    Args:
        client: a new client, of a JSON protocol.
        session: which made it, and knows the certificates to trust (`ca_bundle` of the profile, AWS_CA_BUNDLE).
    """
    way = find_short_way(client, session)
    if way is not None:
        # A handler of this event that returns an answer has sent the request (botocore.endpoint, `_do_get_response`).
        send: Any = way.send  # the stubs know no handlers that return something
        client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", send)
    return client


def find_short_way(client: BaseClient, session: Session) -> ShortWay | None:
    """The short way of a client's requests; None where a proxy or a client certificate is in use."""
    config: Any = client.meta.config  # its stubs know no options
    if config.proxies or config.client_cert or get_environ_proxies(client.meta.endpoint_url):
        return None
    # boto3's session does not tell its variables; the botocore session inside it does.
    ca_bundle = session._session.get_config_variable("ca_bundle")
    return ShortWay(config.connect_timeout, config.read_timeout, ca_bundle)


class ShortWay:
    """Sends requests; safe to use in several threads.

    Args:
        connect_seconds: for the connection and the TLS handshake.
        read_seconds: for each part of an answer.
        ca_bundle: file of certificates to trust; None takes botocore's.
    """

    def __init__(self, connect_seconds: float, read_seconds: float, ca_bundle: str | None) -> None:
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._ca_bundle = ca_bundle
        self._of_thread = threading.local()

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send a request and read its answer; raises what botocore's own session raises."""
        url = urlsplit(request.url)
        connection: _Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None or not connection.serves(url):
            connection = self._of_thread.connection = self._connect(url, request.url)
        try:
            body: Any = request.body  # bytes, as the JSON protocols serialize
            answer = connection.exchange(_head(request, url), body)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            raise ConnectionClosedError(error=error, endpoint_url=request.url) from error
        finally:
            if not connection.reusable:
                self._of_thread.connection = None
        return AWSResponse(request.url, answer.status, answer.headers, answer)

    def _connect(self, url: SplitResult, shown: str) -> _Connection:
        secure = url.scheme == "https"
        host, port = url.hostname or "", url.port or (443 if secure else 80)
        try:
            link = socket.create_connection((host, port), self._connect_seconds)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=shown, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=shown, error=error) from error
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                link = self._trust.wrap_socket(link, server_hostname=host)
            link.settimeout(self._read_seconds)
        except TimeoutError as error:
            link.close()
            raise ConnectTimeoutError(endpoint_url=shown, error=error) from error
        except OSError as error:
            link.close()
            raise SSLError(endpoint_url=shown, error=error) from error
        return _Connection(link, url)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_bundle or get_cert_path(True))


class _Answer:
    """What llhttp reports, and what botocore takes for a raw response."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Any = {}  # text by name; botocore looks names up in lower case itself
        self.whole = False
        self.keeps_open = False
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter(self._body)

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # 100 Continue: the answer is still to come
            self.headers.clear()
            return
        self.keeps_open = self._parser.should_keep_alive()
        self.whole = True


class _Connection:
    """One connection, used by one thread.

    Attributes:
        reusable: the last answer was read to its end, and the other side keeps the connection open.
    """

    def __init__(self, link: socket.socket, url: SplitResult) -> None:
        self._link = link
        self._serves = url.scheme, url.netloc
        self.reusable = True
        poll = select.poll()
        poll.register(link, select.POLLIN)
        self._poll = poll.poll

    def __del__(self) -> None:
        # A thread that ends takes its connection along.
        self._link.close()

    def serves(self, url: SplitResult) -> bool:
        """Whether a request for this URL can go here: nothing is to be read on an idle connection but its end."""
        return (url.scheme, url.netloc) == self._serves and not self._poll(0)

    def exchange(self, head: bytes, body: bytes) -> _Answer:
        self.reusable = False
        self._link.sendall(head + body)
        answer = _Answer()
        while not answer.whole:
            data = self._link.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionResetError("the connection was closed before the answer was whole")
            answer.feed(data)
        self.reusable = answer.keeps_open
        return answer


def _head(request: AWSPreparedRequest, url: SplitResult) -> bytes:
    target = url.path or "/"
    if url.query:
        target = f"{target}?{url.query}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {url.netloc}", "Accept-Encoding: identity"]
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if "\r" in text or "\n" in text:
            raise ValueError(f"header {name} has a line break")
        lines.append(f"{name}: {text}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
