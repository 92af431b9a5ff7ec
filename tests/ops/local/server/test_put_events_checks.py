"""PutEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.server.put_events_checks import MAX_REQUEST_BYTES, entry_bytes
from tests.emulator import Account
from tests.ops.local.server.helpers import allow_events, queue, receive

GOOD = {"Source": "s", "DetailType": "d", "Detail": "{}"}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({**GOOD, "Detail": "no json"}, "MalformedDetail"),
        ({**GOOD, "Detail": "[1]"}, "MalformedDetail"),
        ({"DetailType": "d", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "s", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "s", "DetailType": "d"}, "InvalidArgument"),
        ({**GOOD, "Source": "aws.s3"}, "NotAuthorizedForSourceException"),
    ],
)
def test_a_bad_entry_fails_and_a_good_one_beside_it_does_not(
    account: Account, entry: dict[str, Any], code: str
) -> None:
    answer = account.client("events").put_events(Entries=[GOOD, entry])
    assert answer["FailedEntryCount"] == 1
    assert "EventId" in answer["Entries"][0]
    assert answer["Entries"][1]["ErrorCode"] == code


def test_an_unknown_bus_answers_success_as_aws_does(account: Account) -> None:
    answer = account.client("events").put_events(Entries=[{**GOOD, "EventBusName": "none"}])
    assert answer["FailedEntryCount"] == 0


@pytest.mark.parametrize("entries", [[GOOD] * 11, [{**GOOD, "Detail": '{"a": "' + "x" * MAX_REQUEST_BYTES + '"}'}]])
def test_a_request_over_the_limits_is_refused(account: Account, entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError) as refused:
        account.client("events").put_events(Entries=entries)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_just_below_the_limit_is_accepted(account: Account) -> None:
    rest = MAX_REQUEST_BYTES - entry_bytes({**GOOD, "Detail": '{"a": ""}'})
    answer = account.client("events").put_events(Entries=[{**GOOD, "Detail": '{"a": "' + "x" * rest + '"}'}])
    assert answer["FailedEntryCount"] == 0


def test_the_size_counts_bytes_of_all_parts() -> None:
    entry = {"Source": "é", "DetailType": "dd", "Detail": "{}", "Resources": ["abc", "d"], "Time": 1}
    assert entry_bytes(entry) == 2 + 2 + 2 + 3 + 1 + 14


def test_an_entrys_own_time_is_the_events(account: Account) -> None:
    events = account.client("events")
    url, arn = queue(account, "q")
    rule = events.put_rule(Name="r", EventPattern=json.dumps({"source": [GOOD["Source"]]}))["RuleArn"]
    allow_events(account, url, arn, rule)
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": arn}])
    events.put_events(Entries=[{**GOOD, "Time": datetime(2026, 11, 20, 10, tzinfo=UTC)}])
    assert json.loads(receive(account, url)["Body"])["time"] == "2026-11-20T10:00:00Z"
