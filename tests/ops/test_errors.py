"""Every failure of AWS becomes one sentence and a next step."""

from __future__ import annotations

from typing import Any

import botocore.exceptions as boto
import pytest

from ops.errors import OpsError, explain
from ops.exit_codes import ExitCode
from ops.faults import Fault, classify, classify_code, may_have_acted


def _client_error(code: str, status: int = 400) -> Exception:
    answer: Any = {"Error": {"Code": code, "Message": "told"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, "SendMessage")


@pytest.mark.parametrize(
    ("error", "fault", "said"),
    [
        (boto.NoCredentialsError(), Fault.NO_CREDENTIALS, "no AWS credentials"),
        (_client_error("InvalidClientTokenId", 403), Fault.NO_CREDENTIALS, "no AWS credentials"),
        (_client_error("ExpiredToken", 403), Fault.EXPIRED, "expired"),
        (_client_error("AccessDenied", 403), Fault.DENIED, "permission"),
        (_client_error("AWS.SimpleQueueService.NonExistentQueue"), Fault.MISSING_QUEUE, "queue does not exist"),
        (_client_error("com.amazonaws.sqs#QueueDoesNotExist"), Fault.MISSING_QUEUE, "queue does not exist"),
        (_client_error("RequestThrottled", 400), Fault.THROTTLED, "throttled"),
        (_client_error("ThrottlingException", 403), Fault.THROTTLED, "throttled"),
        (_client_error("Whatever", 503), Fault.TRANSIENT, "did not answer properly"),
        (boto.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Fault.UNREACHABLE, "cannot be reached"),
        (boto.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"), Fault.UNREACHABLE, "cannot be reached"),
        (boto.ConnectionClosedError(endpoint_url="http://a"), Fault.TRANSIENT, "did not answer properly"),
        (boto.ReadTimeoutError(endpoint_url="http://a"), Fault.TRANSIENT, "did not answer properly"),
        (boto.NoRegionError(), Fault.NO_REGION, "no AWS region"),
        (boto.ProfileNotFound(profile="x"), Fault.NO_PROFILE, "profile does not exist"),
        (_client_error("InvalidParameterValue"), Fault.INVALID, "told"),
        (ValueError("odd"), Fault.INVALID, "odd"),
    ],
)
def test_kinds_and_sentences(error: Exception, fault: Fault, said: str) -> None:
    explained = explain(error, "sending")

    assert classify(error) is fault
    assert explained.message.startswith("sending: ")
    assert said in explained.message
    assert "\n" not in explained.message
    assert bool(explained.hint) == (fault is not Fault.INVALID)
    assert explained.exit_code is ExitCode.ERROR


def test_an_error_of_ours_is_not_explained_again() -> None:
    error = OpsError("mine", "do this")

    assert explain(error, "sending") is error


def test_only_an_answer_that_was_lost_may_hide_a_deed() -> None:
    assert may_have_acted(boto.ConnectionClosedError(endpoint_url="http://a"))
    assert may_have_acted(_client_error("InternalError", 500))
    assert not may_have_acted(boto.EndpointConnectionError(endpoint_url="http://a"))
    assert not may_have_acted(_client_error("RequestThrottled"))


@pytest.mark.parametrize(
    ("code", "status", "retry"), [("Odd", 500, True), ("Odd", 400, False), ("SlowDown", 400, True)]
)
def test_unknown_codes_are_retried_when_the_server_is_at_fault(code: str, status: int, retry: bool) -> None:
    assert classify_code(code, status).worth_retrying is retry
