"""`ops send`: everything is checked before anything is sent, and what failed is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.actions.send import parse_events, send_events
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from tests.ops.scene import Scene

_DATA = {
    "channel-id": "c1",
    "created-at": "2026-11-20T10:00:00Z",
    "name": "margherita",
    "OrderType": ["Pickup"],
    "city": "Melbourne",
    "region": "AU",
}


def _event(**more: Any) -> dict[str, Any]:
    detail = {"metadata": {"idempotency-key": "k1"}, "data": _DATA}
    return {"source": "pizza.service.com", "detail-type": "OrderCreated", "detail": detail, **more}


def _without_key() -> dict[str, Any]:
    return _event(detail={"data": _DATA})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (json.dumps(_event()), 1),
        (json.dumps(_event(), indent=2), 1),
        (json.dumps([_event(), _event()]), 2),
        ("\n".join(json.dumps(_event()) for _ in range(3)) + "\n\n", 3),
    ],
)
def test_one_event_a_list_or_lines(text: str, count: int) -> None:
    events, made_up = parse_events(text)

    assert len(events) == count
    assert made_up == 0
    assert {event.idempotency_key for event in events} == {"k1"}


def test_every_mistake_is_named_at_once() -> None:
    wrong = [_event(), _event(source=""), _event(detail={"metadata": {"idempotency-key": "k"}, "data": 3})]

    with pytest.raises(UsageError) as caught:
        parse_events(json.dumps(wrong))

    assert "event 2: source" in caught.value.message
    assert "event 3: detail.data" in caught.value.message


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"a": 1}\nnonsense', "3"])
def test_what_holds_no_event_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_events(text)


def test_an_event_over_the_limit_is_refused() -> None:
    detail = {"metadata": {"idempotency-key": "k"}, "data": {"x": "y" * 1_048_576}}

    with pytest.raises(UsageError, match="at most 1,048,576"):
        parse_events(json.dumps(_event(detail=detail)))


def test_missing_keys_are_made_up_and_stable_when_one_is_given() -> None:
    text = json.dumps([_without_key(), _without_key(), _event()])

    made, count = parse_events(text)
    given, none = parse_events(text, "order-7")

    assert count == 2
    assert made[0].idempotency_key != made[1].idempotency_key
    assert none == 0
    assert [event.idempotency_key for event in given] == ["order-7-1", "order-7-2", "k1"]
    assert parse_events(json.dumps(_without_key()), "order-7")[0][0].idempotency_key == "order-7"


def test_a_key_that_is_wrong_is_not_replaced() -> None:
    with pytest.raises(UsageError, match="idempotency-key"):
        parse_events(json.dumps(_event(detail={"metadata": {"idempotency-key": 3}, "data": {}})))


def test_failed_entries_are_tried_again_and_those_that_stay_failed_are_named(monkeypatch: Any) -> None:
    monkeypatch.setattr("ops.actions.replay.retrying.Backoff.pause", lambda self, attempt: True)
    client: Any = boto3.client("events", region_name="x", aws_access_key_id="a", aws_secret_access_key="b")
    events, _ = parse_events(json.dumps([_event(), _event(), _event()]))
    script = Stubber(client)
    script.add_response("describe_event_bus", {"Name": "b"})
    throttled = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}
    refused = {"ErrorCode": "MalformedDetail", "ErrorMessage": "no"}
    script.add_response("put_events", {"FailedEntryCount": 2, "Entries": [throttled, {"EventId": "e2"}, refused]})
    script.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "e1"}]})

    with script:
        report = send_events(client, "b", events)

    assert report.sent == {1: "e1", 2: "e2"}
    assert report.failed == {3: "MalformedDetail no"}


def test_batches_keep_to_ten_entries(monkeypatch: Any) -> None:
    class Client:
        sizes: list[int] = []  # noqa: RUF012 - one instance

        def describe_event_bus(self, Name: str) -> None: ...  # noqa: N803 - boto3's name

        def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's name
            self.sizes.append(len(Entries))
            return {"Entries": [{"EventId": "e"} for _ in Entries]}

    client: Any = Client()
    events, _ = parse_events(json.dumps([_event()] * 23))

    assert len(send_events(client, "b", events).sent) == 23
    assert client.sizes == [10, 10, 3]


def _listening(scene: Scene, bus: str) -> str:
    """A queue that gets every event of a new bus."""
    events, queue = scene.account.client("events"), scene.queue("seen")
    events.create_event_bus(Name=bus)
    rule = events.put_rule(Name="all", EventBusName=bus, EventPattern='{"source": [{"prefix": ""}]}')["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": scene.arn(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    scene.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "q", "Arn": scene.arn(queue)}])
    return queue


def test_the_command_publishes_to_a_patterns_bus_and_says_which_keys_it_made_up(scene: Scene, tmp_path: Path) -> None:
    queue = _listening(scene, "pizza")
    arn = f"arn:aws:events:{scene.account.region}:{scene.account.id}:event-bus/pizza"
    scene.publish_pattern("orders", {"bus": {"name": "pizza", "arn": arn}})
    file = tmp_path / "events.json"
    file.write_text(json.dumps([_event(), _without_key()]))

    ran = scene.run("--stack", "dev", "send", str(file), "--pattern", "orders", "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    rows = json.loads(ran.stdout)
    assert [row["error"] for row in rows] == [None, None]
    assert "1 of 2 events had no idempotency key" in ran.stderr
    got = scene.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    keys = {json.loads(one["Body"])["detail"]["metadata"]["idempotency-key"] for one in got}
    assert keys <= {row["idempotency_key"] for row in rows}
    assert keys


def test_stdin_and_a_bus_that_does_not_exist(scene: Scene) -> None:
    ran = scene.run("send", "-", "--bus", "nowhere", stdin=json.dumps(_event()))

    assert ran.code == ExitCode.ERROR
    assert "event bus 'nowhere' does not exist" in ran.stderr
    known = ran.stderr.split("there are: ")[1].splitlines()[0]
    assert "default" in known
    assert ran.stdout == ""


def test_an_event_that_does_not_obey_its_schema_is_refused_unless_told(scene: Scene) -> None:
    queue = _listening(scene, "pizza")
    wrong = json.dumps([_event(), _event(detail={"data": {**_DATA, "OrderType": ["Boat"]}})])

    ran = scene.run("send", "-", "--bus", "pizza", stdin=wrong)

    assert ran.code == ExitCode.USAGE
    assert "event 2: detail.data.OrderType[0]: 'Boat' is not one of ['Pickup', 'Delivery']" in ran.stderr
    assert scene.counts(queue) == (0, 0)
    assert scene.run("send", "-", "--bus", "pizza", "--no-check-schemas", stdin=wrong).code == ExitCode.OK


@pytest.mark.parametrize("words", [("-",), ("-", "--bus", "b", "--pattern", "p"), ("missing.json", "--bus", "b")])
def test_wrong_command_lines_send_nothing(scene: Scene, words: tuple[str, ...]) -> None:
    assert scene.run("send", *words, stdin=json.dumps(_event())).code == ExitCode.USAGE
