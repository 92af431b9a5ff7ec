from __future__ import annotations

import gc
import json
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from aws_transport import use_bare_calls, use_short_way
from ops.faults import may_have_acted
from tests.aws_transport.scripted_server import CLOSE, PAUSE, answer, serving
from tests.certificates import make_certificate
from tests.emulator import free_port

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Connect = Callable[..., "SQSClient"]

QUEUE = "https://sqs.ap-southeast-2.amazonaws.com/123456789012/orders"
EMPTY = answer({})
RECEIVED = answer({"Messages": [{"MessageId": "m-1", "Body": "grüße", "ReceiptHandle": "r-1"}]})


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[use_short_way, use_bare_calls])
def connect(request: pytest.FixtureRequest) -> Connect:
    """What holds for the one holds for the other: from a URL and options of botocore to a client."""

    def to(url: str, read_timeout: float = 60, **config: Any) -> SQSClient:
        session = boto3.session.Session("key", "secret", "token", region_name="ap-southeast-2")
        retries: Any = {"mode": "standard", "total_max_attempts": 1}
        made = session.client(
            "sqs",
            endpoint_url=url,
            config=Config(retries=retries, connect_timeout=20, read_timeout=read_timeout, **config),
        )
        found: SQSClient = request.param(made, session)
        return found

    return to


def test_requests_are_botocores_and_share_a_connection(connect: Connect):
    with serving([RECEIVED], [EMPTY]) as seen:
        sqs = connect(seen.url)
        (message,) = sqs.receive_message(QueueUrl=QUEUE, WaitTimeSeconds=1)["Messages"]
        sqs.send_message_batch(QueueUrl=QUEUE, Entries=[{"Id": "0", "MessageBody": "grüße"}])
    assert (message["Body"], message["ReceiptHandle"]) == ("grüße", "r-1")
    assert seen.connections == 1
    first = dict(line.split(": ", 1) for line in seen.requests[0].split("\r\n")[1:])
    assert seen.requests[0].startswith("POST / HTTP/1.1\r\n")
    assert first["Host"] == seen.url.removeprefix("http://")
    assert first["X-Amz-Target"] == "AmazonSQS.ReceiveMessage"
    assert first["X-Amz-Security-Token"] == "token"
    assert first["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert first["Content-Length"] == str(len(seen.bodies[0]))
    assert json.loads(seen.bodies[1]) == {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "grüße"}]}


def test_an_error_answer_is_botocores_error(connect: Connect):
    refusal = answer(
        {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"},
        "400 Bad Request",
        "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
    )
    with serving([refusal], [EMPTY]) as seen:
        sqs = connect(seen.url)
        with pytest.raises(ClientError) as caught:
            sqs.receive_message(QueueUrl=QUEUE)
        assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert sqs.receive_message(QueueUrl=QUEUE)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert seen.connections == 1


def test_an_answer_may_come_in_pieces_chunked_and_after_a_continue(connect: Connect):
    body = b'{"Messages": [{"MessageId": "m-1"}]}'
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Twice: a\r\nX-Twice: b\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:])]
    with serving(
        [b"HTTP/1.1 100 Continue\r\nX-Continue: yes\r\n\r\n", head[:20], head[20:], *chunks, b"0\r\n\r\n"], [EMPTY]
    ) as seen:
        sqs = connect(seen.url)
        found = sqs.receive_message(QueueUrl=QUEUE)
        sqs.receive_message(QueueUrl=QUEUE)
    assert [message["MessageId"] for message in found["Messages"]] == ["m-1"]
    assert found["ResponseMetadata"]["HTTPHeaders"]["x-twice"] == "a, b"
    assert "x-continue" not in found["ResponseMetadata"]["HTTPHeaders"]
    assert seen.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([answer({}, "200 OK", "Connection: close"), CLOSE], id="announced"),
        pytest.param([EMPTY, CLOSE], id="while-idle"),
    ],
)
def test_a_connection_that_the_server_closes_is_replaced_without_an_error(connect: Connect, first: list[bytes]):
    with serving(first, [RECEIVED]) as seen:
        sqs = connect(seen.url)
        sqs.receive_message(QueueUrl=QUEUE)
        assert seen.closed.wait(20)
        assert len(sqs.receive_message(QueueUrl=QUEUE)["Messages"]) == 1
    assert seen.connections == 2


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        pytest.param([CLOSE], ConnectionClosedError, id="closed-before-the-answer"),
        pytest.param([EMPTY[:30], CLOSE], ConnectionClosedError, id="closed-within-the-head"),
        pytest.param([RECEIVED[:-3], CLOSE], ConnectionClosedError, id="closed-within-the-body"),
        pytest.param([b"not HTTP at all\r\n\r\n"], ConnectionClosedError, id="not-http"),
        pytest.param([PAUSE, EMPTY], ReadTimeoutError, id="no-answer-in-time"),
        pytest.param([RECEIVED[:-3], PAUSE, EMPTY], ReadTimeoutError, id="half-an-answer-in-time"),
    ],
)
def test_a_lost_answer_is_an_error_after_which_aws_may_have_acted(
    connect: Connect, parts: list[bytes], error: type[Exception]
):
    with serving(parts, [RECEIVED]) as seen:
        sqs = connect(seen.url, read_timeout=2 if PAUSE in parts else 60)
        with pytest.raises(error) as caught:
            sqs.receive_message(QueueUrl=QUEUE)
        assert may_have_acted(caught.value)
        # What is left of the failed answer is not taken for the next one.
        assert sqs.receive_message(QueueUrl=QUEUE)["Messages"][0]["MessageId"] == "m-1"
    assert seen.connections == 2


def test_a_server_that_is_not_there_has_not_acted(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    sqs = connect(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EndpointConnectionError) as refused:
        sqs.receive_message(QueueUrl=QUEUE)
    assert not may_have_acted(refused.value)

    def too_slow(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", too_slow)
    with pytest.raises(ConnectTimeoutError) as late:
        sqs.receive_message(QueueUrl=QUEUE)
    assert not may_have_acted(late.value)


def test_each_thread_has_a_connection_of_its_own_and_takes_it_along(connect: Connect):
    with serving(*[[EMPTY]] * 6) as seen:
        sqs = connect(seen.url)
        for _ in range(2):
            threads = [threading.Thread(target=sqs.receive_message, kwargs={"QueueUrl": QUEUE}) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            del threads, thread
        gc.collect()  # a socket that nobody had closed would warn here, and fail the test
    assert (seen.connections, len(seen.requests)) == (6, 6)


def test_tls_trusts_the_bundle_that_is_configured_and_nobody_else(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    with serving([RECEIVED], [RECEIVED], context=context) as seen:
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            connect(seen.url).receive_message(QueueUrl=QUEUE)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        sqs = connect(seen.url)
        for _ in range(2):
            assert sqs.receive_message(QueueUrl=QUEUE)["Messages"][0]["Body"] == "grüße"
        other_name = connect(seen.url.replace("localhost", "127.0.0.1"))
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            other_name.receive_message(QueueUrl=QUEUE)
    assert (seen.connections, len(seen.requests)) == (3, 2)


@pytest.mark.parametrize("how", ["environment", "client"])
def test_with_a_proxy_the_client_stays_as_it_is(connect: Connect, how: str, monkeypatch: pytest.MonkeyPatch):
    with serving([RECEIVED]) as proxy:
        if how == "environment":
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "")
            sqs = connect("http://sqs.example.com")
        else:
            sqs = connect("http://sqs.example.com", proxies={"http": proxy.url})
        assert sqs.receive_message(QueueUrl=QUEUE)["Messages"][0]["MessageId"] == "m-1"
    assert proxy.requests[0].startswith("POST http://sqs.example.com/ HTTP/1.1")


def test_a_header_with_a_line_break_is_refused(connect: Connect):
    with serving([EMPTY]) as seen:
        sqs = connect(seen.url, user_agent="one\r\nX-Two: two")
        with pytest.raises(ValueError, match="header User-Agent has a line break"):
            sqs.receive_message(QueueUrl=QUEUE)
    assert seen.requests == []
