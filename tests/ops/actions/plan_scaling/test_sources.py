"""Traffic from CloudWatch and from files."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.actions.plan_scaling.sources import trace_of_file, trace_of_queue
from ops.errors import OpsError, UsageError
from tests.emulator import Account, running_emulator

NOW = datetime(2026, 11, 20, 10, 30, 45, tzinfo=UTC)
END = datetime(2026, 11, 20, 10, 28, tzinfo=UTC)


def _stubbed(*pages: dict[str, Any]) -> Any:
    client = boto3.session.Session().client(
        "cloudwatch", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    for page in pages:
        stubber.add_response("get_metric_data", page)
    stubber.activate()
    return client


def _page(values: dict[datetime, float], token: str | None = None) -> dict[str, Any]:
    result = {"Id": "sent", "Label": "x", "Timestamps": list(values), "Values": list(values.values())}
    return {"MetricDataResults": [result]} | ({"NextToken": token} if token else {})


def test_minutes_of_all_pages_from_the_first_message_to_two_minutes_ago() -> None:
    first, second = END - timedelta(minutes=10), END - timedelta(minutes=7)
    client = _stubbed(_page({first: 4.0}, "more"), _page({second: 6.0, END - timedelta(minutes=1): 1.0}))

    trace = trace_of_queue(client, "orders", 1, NOW)

    assert trace.messages_per_minute == (4, 0, 0, 6, 0, 0, 0, 0, 0, 1)


def test_a_queue_without_messages_is_an_error_with_a_hint() -> None:
    with pytest.raises(OpsError, match=r"no message sent to a queue 'nope' in the last 2 days") as refused:
        trace_of_queue(_stubbed(_page({})), "nope", 2, NOW)
    assert "--days" in refused.value.hint


def test_a_queue_on_the_embedded_aws(tmp_path: Path) -> None:
    # One whose minute is half a second.
    with running_emulator(tmp_path, "--speedup", "120") as url:
        account = Account(url)
        sqs = account.client("sqs")
        queue_url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        entries = [{"Id": str(number), "MessageBody": "x"} for number in range(7)]
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        found = _until_counted(account, 7)
    assert found == 7


def _until_counted(account: Account, messages: int) -> int:
    deadline = time.monotonic() + 20
    found = 0
    while found < messages and time.monotonic() < deadline:
        time.sleep(0.05)
        # The last two minutes are left out as too new, which here is everything: ask from the future.
        ahead = datetime.now(UTC) + timedelta(minutes=4)
        with contextlib.suppress(OpsError):
            found = trace_of_queue(account.client("cloudwatch"), "orders", 1, ahead).messages
    return found


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00minute")
    for path, said in ((tmp_path / "none.csv", "cannot be read"), (tmp_path, "cannot be read"), (binary, "UTF-8")):
        with pytest.raises(UsageError, match=said):
            trace_of_file(path)
    marked = tmp_path / "excel.csv"
    marked.write_bytes(b"\xef\xbb\xbfminute,messages\r\n0,5\r\n")
    assert trace_of_file(marked).messages_per_minute == (5,)
