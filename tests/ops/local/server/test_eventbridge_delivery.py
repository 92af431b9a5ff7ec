"""EventBridge: deliveries, retries, dead-letter queues and queue policies."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, allow_events, depth, queue, receive, wait_until


@dataclass
class Bus:
    """A bus with one rule that matches everything from ``test``."""

    account: Account
    rule_arn: str = ""
    events: Any = field(init=False)

    def __post_init__(self) -> None:
        self.events = self.account.client("events")
        self.events.create_event_bus(Name="b")
        self.rule_arn = self.events.put_rule(Name="r", EventBusName="b", EventPattern=json.dumps({"source": ["test"]}))[
            "RuleArn"
        ]

    def target(self, arn: str, **target: Any) -> None:
        answer = self.events.put_targets(Rule="r", EventBusName="b", Targets=[{"Id": "t", "Arn": arn, **target}])
        assert answer["FailedEntryCount"] == 0

    def send(self, number: int = 1) -> str:
        entry = {"EventBusName": "b", "Source": "test", "DetailType": "D", "Detail": json.dumps({"n": number})}
        answer = self.events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])


@pytest.fixture
def bus(account: Account) -> Bus:
    return Bus(account)


def _dead_letter_queue(bus: Bus, name: str = "dlq", *, allowed: bool = True) -> tuple[str, str]:
    url, arn = queue(bus.account, name)
    if allowed:
        allow_events(bus.account, url, arn, bus.rule_arn)
    return url, arn


def _attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


@contextmanager
def _web_server(statuses: list[int]) -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that answers with these statuses, the last one again and again; yields its URL and the bodies."""
    bodies: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(statuses[min(len(bodies), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", bodies
        server.shutdown()
        thread.join()


def _api_destination(account: Account, url: str) -> str:
    events = account.client("events")
    key = {"ApiKeyName": "k", "ApiKeyValue": "v"}
    connection = events.create_connection(
        Name="c", AuthorizationType="API_KEY", AuthParameters={"ApiKeyAuthParameters": key}
    )
    destination = events.create_api_destination(
        Name="d", ConnectionArn=connection["ConnectionArn"], InvocationEndpoint=url, HttpMethod="POST"
    )
    return str(destination["ApiDestinationArn"])


def test_a_queue_whose_policy_allows_the_rule_gets_the_event(bus: Bus) -> None:
    url, arn = _dead_letter_queue(bus, "q")
    bus.target(arn)
    event_id = bus.send()
    body = json.loads(receive(bus.account, url)["Body"])
    assert (body["id"], body["detail"], body["account"]) == (event_id, {"n": 1}, bus.account.id)


def test_without_a_queue_policy_the_event_goes_to_the_dlq_as_it_was(bus: Bus) -> None:
    url, arn = queue(bus.account, "q")
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn}, Input='{"changed": true}')
    event_id = bus.send()
    message = receive(bus.account, dlq_url)
    attributes = _attributes(message)
    assert json.loads(message["Body"])["id"] == event_id
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert (attributes["RULE_ARN"], attributes["TARGET_ARN"]) == (bus.rule_arn, arn)
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert "ArnEquals aws:SourceArn" in attributes["ERROR_MESSAGE"]
    assert depth(bus.account, url) == 0


def test_the_policy_of_another_rule_does_not_help(bus: Bus) -> None:
    url, arn = queue(bus.account, "q")
    allow_events(bus.account, url, arn, bus.rule_arn + "-other")
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    assert _attributes(receive(bus.account, dlq_url))["ERROR_CODE"] == "NO_PERMISSIONS"


def test_a_dlq_whose_policy_does_not_allow_the_rule_gets_nothing(bus: Bus) -> None:
    _, arn = queue(bus.account, "q")
    dlq_url, dlq_arn = _dead_letter_queue(bus, allowed=False)
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    assert depth(bus.account, dlq_url) == 0


def test_a_missing_queue_is_no_resource(bus: Bus) -> None:
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    bus.target(dlq_arn.replace(":dlq", ":none"), DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    assert _attributes(receive(bus.account, dlq_url))["ERROR_CODE"] == "NO_RESOURCE"


def test_a_queue_under_the_aws_managed_key_takes_no_events(bus: Bus) -> None:
    url, arn = _dead_letter_queue(bus, "q")
    bus.account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    attributes = _attributes(receive(bus.account, dlq_url))
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "AWS managed key" in attributes["ERROR_MESSAGE"]


def test_a_fifo_queue_needs_a_group_and_deduplicates(bus: Bus) -> None:
    url, arn = queue(bus.account, "q.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    allow_events(bus.account, url, arn, bus.rule_arn)
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    assert _attributes(receive(bus.account, dlq_url))["ERROR_CODE"] == "INVALID_PARAMETER"
    bus.target(arn, SqsParameters={"MessageGroupId": "g"}, Input='{"same": 1}')
    bus.send(1)
    bus.send(2)
    assert receive(bus.account, url)["Attributes"]["MessageGroupId"] == "g"
    assert depth(bus.account, url) == 0


def test_a_failing_endpoint_is_tried_again_until_it_answers(bus: Bus) -> None:
    with _web_server([503, 429, 200]) as (url, bodies):
        bus.target(_api_destination(bus.account, url), RoleArn="arn:aws:iam::1:role/r")
        bus.send()
        wait_until(lambda: len(bodies) == 3, "three attempts")
        assert len(set(bodies)) == 1


def test_when_the_retries_are_used_up_the_dlq_says_so(bus: Bus) -> None:
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    with _web_server([503]) as (url, bodies):
        bus.target(
            _api_destination(bus.account, url),
            RoleArn="arn:aws:iam::1:role/r",
            DeadLetterConfig={"Arn": dlq_arn},
            RetryPolicy={"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
        )
        bus.send()
        attributes = _attributes(receive(bus.account, dlq_url))
        assert len(bodies) == 3
    assert attributes["RETRY_ATTEMPTS"] == "2"
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert attributes["ERROR_CODE"] == "ERROR_FROM_TARGET"


def test_a_bad_request_is_not_tried_again(bus: Bus) -> None:
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    with _web_server([400]) as (url, bodies):
        target = _api_destination(bus.account, url)
        bus.target(target, RoleArn="arn:aws:iam::1:role/r", DeadLetterConfig={"Arn": dlq_arn})
        bus.send()
        attributes = _attributes(receive(bus.account, dlq_url))
        assert len(bodies) == 1
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes


def test_a_rule_runs_a_task_with_the_input_as_its_overrides(bus: Bus, fargate: Fargate) -> None:
    definition = fargate.define("rule", ['echo "n=$N"'])
    cluster_arn = f"arn:aws:ecs:{bus.account.region}:{bus.account.id}:cluster/{fargate.cluster}"
    template = '{"containerOverrides": [{"name": "main", "environment": [{"name": "N", "value": "<n>"}]}]}'
    bus.target(
        cluster_arn,
        RoleArn="arn:aws:iam::1:role/r",
        EcsParameters={"TaskDefinitionArn": definition, "LaunchType": "FARGATE", "TaskCount": 1},
        InputTransformer={"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": template},
    )
    bus.send(42)

    def stopped() -> list[str]:
        found: list[str] = fargate.ecs.list_tasks(cluster=fargate.cluster, desiredStatus="STOPPED")["taskArns"]
        return found

    (arn,) = wait_until(stopped, "the task has run")
    fargate.wait_for(arn, "STOPPED")
    assert fargate.log(arn) == "n=42\n"
    assert fargate.task(arn)["startedBy"] == "events-rule/r"


def test_an_ecs_target_without_a_role_has_no_permissions(bus: Bus, fargate: Fargate) -> None:
    definition = fargate.define("rule", ["exit 0"])
    dlq_url, dlq_arn = _dead_letter_queue(bus)
    cluster_arn = f"arn:aws:ecs:{bus.account.region}:{bus.account.id}:cluster/{fargate.cluster}"
    parameters = {"TaskDefinitionArn": definition, "LaunchType": "FARGATE"}
    bus.target(cluster_arn, EcsParameters=parameters, DeadLetterConfig={"Arn": dlq_arn})
    bus.send()
    assert _attributes(receive(bus.account, dlq_url))["ERROR_CODE"] == "NO_PERMISSIONS"


def test_kinesis_and_logs_targets(bus: Bus) -> None:
    kinesis, logs = bus.account.client("kinesis"), bus.account.client("logs")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    stream = kinesis.describe_stream(StreamName="s")["StreamDescription"]
    logs.create_log_group(logGroupName="/aws/events/g")
    base = f"{bus.account.region}:{bus.account.id}"
    bus.target(stream["StreamARN"], RoleArn="arn:aws:iam::1:role/r", KinesisParameters={"PartitionKeyPath": "$.source"})
    bus.events.put_targets(
        Rule="r", EventBusName="b", Targets=[{"Id": "l", "Arn": f"arn:aws:logs:{base}:log-group:/aws/events/g"}]
    )
    event_id = bus.send()
    shard = stream["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert (json.loads(record["Data"])["id"], record["PartitionKey"]) == (event_id, "test")
    (line,) = logs.filter_log_events(logGroupName="/aws/events/g")["events"]
    assert json.loads(line["message"])["id"] == event_id


_FUNCTION = """
import os, boto3
def handle(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["CALLS"], MessageBody=str(event["detail"]["n"]))
    if event["detail"]["n"] == 13:
        raise RuntimeError("unlucky")
"""


def test_a_function_needs_a_permission_for_the_rule_and_is_called_three_times_when_it_fails(bus: Bus):
    calls, _ = queue(bus.account, "calls")
    dlq, dlq_arn = _dead_letter_queue(bus)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as code:
        code.writestr("main.py", _FUNCTION)
    functions = bus.account.client("lambda")
    arn = functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{bus.account.id}:role/any",
        Handler="main.handle",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
        Environment={"Variables": {"CALLS": calls}},
    )["FunctionArn"]
    bus.target(arn, DeadLetterConfig={"Arn": dlq_arn})
    # GIVEN a permission for another rule
    grant = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    functions.add_permission(StatementId="other", SourceArn=f"{bus.rule_arn}-2", **grant)
    bus.send(1)
    assert _attributes(receive(bus.account, dlq))["ERROR_CODE"] == "NO_PERMISSIONS"
    # WHEN this rule has one
    functions.add_permission(StatementId="this", SourceArn=bus.rule_arn, **grant)
    bus.send(2)
    assert receive(bus.account, calls)["Body"] == "2"
    # AND what fails is tried again by Lambda, not by EventBridge
    bus.send(13)
    wait_until(lambda: depth(bus.account, calls) >= 3, "three calls")
