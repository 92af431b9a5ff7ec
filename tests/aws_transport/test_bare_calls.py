from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from aws_transport import use_bare_calls
from tests.aws_transport.scripted_server import answer, serving

QUEUE = "https://sqs.ap-southeast-2.amazonaws.com/123456789012/orders"
NOW = datetime.datetime(2026, 11, 27, 6, 0, tzinfo=datetime.UTC)

texts = st.text(max_size=20)
attributes = st.dictionaries(
    st.text("abc-_.", min_size=1, max_size=5),
    st.one_of(
        st.builds(lambda text: {"DataType": "String", "StringValue": text}, texts),
        st.builds(lambda data: {"DataType": "Binary", "BinaryValue": data}, st.binary(max_size=9)),
    ),
    max_size=3,
)
entries = st.lists(
    st.builds(
        lambda body, given: {"Id": "0", "MessageBody": body, "MessageAttributes": given, "DelaySeconds": 3},
        texts,
        attributes,
    ),
    max_size=3,
)
calls = st.one_of(
    st.tuples(
        st.just("receive_message"),
        st.fixed_dictionaries(
            {"QueueUrl": st.just(QUEUE), "MaxNumberOfMessages": st.integers(1, 10)},
            optional={"ReceiveRequestAttemptId": texts, "MessageAttributeNames": st.lists(texts, max_size=2)},
        ),
    ),
    st.tuples(st.just("send_message_batch"), st.fixed_dictionaries({"QueueUrl": st.just(QUEUE), "Entries": entries})),
    st.tuples(st.just("get_queue_attributes"), st.just({"QueueUrl": QUEUE, "AttributeNames": ["All"]})),
)


class Recorded:
    """A client whose requests are kept and answered by nobody."""

    def __init__(self, *, bare: bool, token: str | None, **options: bool) -> None:
        session = boto3.session.Session("key", "secret", token, region_name="ap-southeast-2")
        retries: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(retries=retries, user_agent="Agent/1", parameter_validation=False, **options)  # type: ignore[arg-type]
        self._requests: list[Any] = []
        self._client: Any = session.client("sqs", config=config)
        if bare:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("aws_transport.bare_calls.find_short_way", lambda *_: self)
                use_bare_calls(self._client, session)
        else:
            send: Any = self.send  # the stubs know no handlers that return something
            self._client.meta.events.register("before-send.sqs", send)

    def send(self, request: Any, **_: Any) -> AWSResponse:
        self._requests.append(request)
        return AWSResponse(request.url, 200, HTTPHeaders(), self)

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter([b"{}"])

    def request_of(self, call: tuple[str, dict[str, Any]]) -> tuple[str, str, bytes, dict[str, str]]:
        """What a call sends: method, URL, body and headers."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW)
            getattr(self._client, call[0])(**call[1])
        request = self._requests.pop()
        assert not self._requests
        headers = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
            # The attempt's number and name, which only AWS's statistics read.
            if name not in ("amz-sdk-invocation-id", "amz-sdk-request")
        }
        # Without what botocore counts of its own use in this process.
        headers["User-Agent"], _, _ = headers["User-Agent"].partition(" PT/")
        # Without the signature: in botocore's request it covers the attempt's name.
        headers["Authorization"], _, _ = headers["Authorization"].partition(", SignedHeaders=")
        return request.method, request.url, request.body, headers


WHOLE, BARE = ([Recorded(bare=bare, token=token) for token in (None, "token")] for bare in (False, True))


@given(call=calls)
def test_a_bare_call_sends_what_botocore_sends(call: tuple[str, dict[str, Any]]):
    for whole, bare in zip(WHOLE, BARE, strict=True):
        assert bare.request_of(call) == whole.request_of(call)


@pytest.mark.parametrize("option", ["use_fips_endpoint", "use_dualstack_endpoint"])
def test_the_endpoint_is_the_one_botocore_finds(option: str):
    call = ("receive_message", {"QueueUrl": QUEUE})
    bare, whole = (Recorded(bare=bare, token=None, **{option: True}).request_of(call)[1] for bare in (True, False))
    assert bare == whole != BARE[0].request_of(call)[1]


def test_nobody_is_asked_for_an_answer_without_credentials(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    session = boto3.session.Session(region_name="ap-southeast-2")
    with serving([answer({})]) as seen:
        sqs = use_bare_calls(session.client("sqs", endpoint_url=seen.url), session)
        with pytest.raises(NoCredentialsError):
            sqs.receive_message(QueueUrl=QUEUE)
    assert seen.requests == []
