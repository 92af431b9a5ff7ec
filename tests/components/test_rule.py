from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.core.errors import InvalidArgsError
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.queue import Queue, QueueArgs
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

FIFO: dict[str, Any] = {"fifo": True, "content_based_deduplication": True}
PATTERN = {"source": ["com.flix"], "detail": {"data": {"region": ["AU", "NZ"]}}}


def rule_program(change: Callable[[Queue], dict[str, Any]] = lambda queue: {}, **queue: Any) -> Callable[[], None]:
    def program() -> None:
        orders = Queue("orders", QueueArgs(**queue))
        changed = change(orders)
        targets = changed.pop("targets") if "targets" in changed else [SqsTarget(queue=orders)]
        arguments = {"bus": EventBus("events"), "event_pattern": PATTERN, "targets": targets}
        Rule("flix", RuleArgs(**{**arguments, **changed}))

    return program


def test_a_rule_comes_with_its_target_and_a_dead_letter_queue():
    recorder = record(rule_program())
    assert recorder.names("aws:cloudwatch/eventTarget:EventTarget") == ["flix-orders"]
    rule = recorder.one("EventRule").inputs
    assert rule["eventBusName"] == "events-0a1b2c3"
    assert json.loads(rule["eventPattern"]) == PATTERN
    target = recorder.one("EventTarget").inputs
    assert target == {
        "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-0a1b2c3",
        "deadLetterConfig": {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:flix-undelivered-0a1b2c3"},
        "eventBusName": "events-0a1b2c3",
        "retryPolicy": {"maximumEventAgeInSeconds": 86_400, "maximumRetryAttempts": 185},
        "rule": "flix-0a1b2c3",
        "targetId": "orders",
    }


def statement_for_events(recorder: Recorder, policy: str) -> dict[str, Any]:
    statements = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", policy).inputs["policy"])
    (found,) = [item for item in statements if item["Principal"] == {"Service": "events.amazonaws.com"}]
    return found


def test_queue_and_dead_letter_queue_admit_this_rule_only():
    recorder = record(rule_program())
    for policy in ("orders-policy", "flix-undelivered-policy"):
        statement = statement_for_events(recorder, policy)
        assert statement["Action"] == ["sqs:SendMessage"]
        arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/flix-0a1b2c3"
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": arn}}
    refused = recorder.one("RedriveAllowPolicy", "flix-undelivered-redrive-allow").inputs
    assert json.loads(refused["redriveAllowPolicy"]) == {"redrivePermission": "denyAll"}


def test_events_for_a_fifo_queue_share_a_group_and_their_dead_letter_queue_is_standard():
    program = rule_program(lambda queue: {"targets": [SqsTarget(queue=queue, message_group_id="flix")]}, **FIFO)
    recorder = record(program)
    assert recorder.one("EventTarget").inputs["sqsTarget"] == {"messageGroupId": "flix"}
    assert "fifoQueue" not in recorder.one("aws:sqs/queue:Queue", "flix-undelivered").inputs


def test_retries_can_be_shortened():
    program = rule_program(lambda _: {"maximum_retry_attempts": 0, "maximum_event_age_seconds": 60})
    policy = record(program).one("EventTarget").inputs["retryPolicy"]
    assert policy == {"maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 0}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"event_pattern": {}}, "event_pattern: an event pattern needs at least one field"),
        ({"event_pattern": {"source": "a"}}, "event_pattern: source: expected a list of values, got 'a'; write ['a']"),
        ({"targets": []}, "targets has 0 entries; name at least one"),
        ({"maximum_retry_attempts": 186}, "maximum_retry_attempts is 186; allowed is a whole number from 0 to 185"),
        ({"maximum_event_age_seconds": 59}, "maximum_event_age_seconds is 59; allowed is a whole number from 60 to"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(rule_program(lambda _: dict(change)))
    assert str(caught.value).startswith(f"Rule 'flix': {problem}")


def test_the_same_target_twice_is_refused():
    with pytest.raises(InvalidArgsError, match="targets: 'orders' is there twice"):
        record(rule_program(lambda queue: {"targets": [SqsTarget(queue=queue)] * 2}))


def test_a_fifo_queue_needs_a_group_and_a_standard_queue_refuses_one():
    with pytest.raises(InvalidArgsError, match="message_group_id is not set"):
        record(rule_program(**FIFO))
    with pytest.raises(InvalidArgsError, match="the queue is not FIFO; leave it unset"):
        record(rule_program(lambda queue: {"targets": [SqsTarget(queue=queue, message_group_id="g")]}))


def test_a_fifo_queue_that_makes_no_deduplication_id_is_refused_because_eventbridge_sends_none():
    with pytest.raises(InvalidArgsError, match="the queue is FIFO without content_based_deduplication"):
        record(rule_program(lambda queue: {"targets": [SqsTarget(queue=queue, message_group_id="g")]}, fifo=True))


def test_a_message_group_longer_than_eventbridge_takes_is_refused():
    with pytest.raises(InvalidArgsError, match="message_group_id has 101 characters; EventBridge allows 100"):
        record(rule_program(lambda queue: {"targets": [SqsTarget(queue=queue, message_group_id="g" * 101)]}, **FIFO))


def test_the_id_of_a_target_fits_however_long_the_names_are():
    """The provider's own would be the resource's name and eight characters; EventBridge allows 64."""

    def program() -> None:
        target = SqsTarget(queue=Queue("queue-" * 6 + "orders"))
        Rule("rule-" * 6 + "orders", RuleArgs(bus=EventBus("events"), event_pattern=PATTERN, targets=[target]))

    target = record(program).one("EventTarget")
    assert len(target.name) > 64
    assert target.inputs["targetId"] == "queue-" * 6 + "orders"


def test_a_bus_has_an_archive_and_no_policy_unless_asked():
    recorder = record(lambda: EventBus("events"))
    assert recorder.children() == {
        "aws:cloudwatch/eventBus:EventBus": 1,
        "aws:cloudwatch/eventArchive:EventArchive": 1,
    }
    assert recorder.one("EventArchive").inputs["retentionDays"] == 7


def test_a_bus_can_go_without_an_archive_and_admit_other_accounts():
    recorder = record(lambda: EventBus("events", EventBusArgs(archive_days=0, publisher_accounts=["999999999999"])))
    assert recorder.of_type("EventArchive") == []
    (statement,) = policy_of(recorder.one("EventBusPolicy").inputs["policy"])
    assert statement == {
        "Sid": "OtherAccountsPublish",
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::999999999999:root"]},
        "Action": ["events:PutEvents"],
        "Resource": [f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/events-0a1b2c3"],
    }


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (EventBusArgs(archive_days=-1), "archive_days is -1; allowed is a whole number from 0 to 3,650 days"),
        (EventBusArgs(publisher_accounts=["12"]), "publisher_accounts are ['12']; each is an account id of 12 digits"),
    ],
)
def test_wrong_bus_arguments_are_refused(args: EventBusArgs, problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: EventBus("events", args))
    assert str(caught.value) == f"EventBus 'events': {problem}"


@pytest.mark.parametrize("fifo", [False, True])
def test_it_runs_with_unknown_outputs(fifo: bool):
    group = "g" if fifo else None
    queue = FIFO if fifo else {}
    program = rule_program(lambda queue: {"targets": [SqsTarget(queue=queue, message_group_id=group)]}, **queue)
    assert len(record(program, preview=True).of_type("EventTarget")) == 1
