"""Distributed maps of the embedded AWS: where items come from, how they are batched, where results go."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.local.server.states_maps import batches
from tests.emulator import Account
from tests.ops.local.server.helpers import wait_until

OBJECT = "arn:aws:states:::s3:getObject"
LIST = "arn:aws:states:::s3:listObjectsV2"


class Maps:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.states = account.client("stepfunctions")
        self.s3 = account.client("s3")
        self.bucket = f"items-{account.id}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": account.region})

    def put(self, key: str, body: str | bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def run(self, processor: dict[str, Any], **state: Any) -> dict[str, Any]:
        """The ended execution of a state machine of this one map."""
        item = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **processor}
        document = {"StartAt": "M", "States": {"M": {"Type": "Map", "End": True, "ItemProcessor": item, **state}}}
        arn = self.states.create_state_machine(
            name="m", definition=json.dumps(document), roleArn=f"arn:aws:iam::{self.account.id}:role/states"
        )["stateMachineArn"]
        self.execution = self.states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.states.describe_execution(executionArn=self.execution)
            return None if found["status"] == "RUNNING" else found

        return wait_until(ended, "the execution's end") or {}

    def map_run(self) -> dict[str, Any]:
        (run,) = self.states.list_map_runs(executionArn=self.execution)["mapRuns"]
        found: dict[str, Any] = self.states.describe_map_run(mapRunArn=run["mapRunArn"])
        return found

    def reader(self, resource: str, config: dict[str, Any] | None = None, **parameters: str) -> dict[str, Any]:
        reader = {"Resource": resource, "Parameters": {"Bucket": self.bucket, **parameters}}
        return {"ItemReader": reader | ({"ReaderConfig": config} if config else {})}


ECHO = {"StartAt": "Echo", "States": {"Echo": {"Type": "Pass", "End": True}}}
PICKY = {
    "StartAt": "Look",
    "States": {
        "Look": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.bad", "BooleanEquals": True, "Next": "Refuse"}],
            "Default": "Take",
        },
        "Take": {"Type": "Pass", "End": True},
        "Refuse": {"Type": "Fail", "Error": "Bad", "Cause": "a bad one"},
    },
}


@pytest.fixture
def maps(account: Account) -> Maps:
    return Maps(account)


def test_the_objects_below_a_prefix_are_batched(maps: Maps) -> None:
    for number in range(7):
        maps.put(f"in/{number}", "x")
    maps.put("other", "x")
    selector = {"bucket": "b", "key.$": "$$.Map.Item.Value.Key", "size.$": "$$.Map.Item.Value.Size"}
    ended = maps.run(
        ECHO, **maps.reader(LIST, Prefix="in/"), ItemBatcher={"MaxItemsPerBatch": 3}, ItemSelector=selector
    )
    output = json.loads(ended["output"])
    assert [len(batch["Items"]) for batch in output] == [3, 3, 1]
    assert output[2]["Items"] == [{"bucket": "b", "key": "in/6", "size": 1}]
    run = maps.map_run()
    assert (run["status"], run["itemCounts"]["succeeded"], run["executionCounts"]["succeeded"]) == ("SUCCEEDED", 7, 3)
    history = maps.states.get_execution_history(executionArn=maps.execution)["events"]
    assert {"MapRunStarted", "MapRunSucceeded"} <= {event["type"] for event in history}


def test_json_is_read(maps: Maps) -> None:
    maps.put("items.json", json.dumps([{"n": 1}, {"n": 2}]))
    assert json.loads(maps.run(ECHO, **maps.reader(OBJECT, Key="items.json"))["output"]) == [{"n": 1}, {"n": 2}]


def test_csv_is_read(maps: Maps) -> None:
    maps.put("items.csv", "key,size\na,1\nb,2\n")
    ended = maps.run(
        ECHO, **maps.reader(OBJECT, {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}, Key="items.csv")
    )
    assert json.loads(ended["output"]) == [{"key": "a", "size": "1"}, {"key": "b", "size": "2"}]


def test_an_inventory_is_read_through_its_manifest(maps: Maps) -> None:
    maps.put("inventory/data/1.csv.gz", gzip.compress(b'"photos","in/a+b%26c.jpg","12"\n"photos","in/d.jpg","3"\n'))
    maps.put("inventory/data/2.csv.gz", gzip.compress(b'"photos","in/e.jpg","4"\n'))
    manifest = {
        "sourceBucket": "photos",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inventory/data/1.csv.gz"}, {"key": "inventory/data/2.csv.gz"}],
    }
    maps.put("inventory/manifest.json", json.dumps(manifest))
    ended = maps.run(ECHO, **maps.reader(OBJECT, {"InputType": "MANIFEST"}, Key="inventory/manifest.json"))
    assert json.loads(ended["output"]) == [
        {"Bucket": "photos", "Key": "in/a b&c.jpg", "Size": "12"},
        {"Bucket": "photos", "Key": "in/d.jpg", "Size": "3"},
        {"Bucket": "photos", "Key": "in/e.jpg", "Size": "4"},
    ]


def test_an_inventory_in_another_format_or_no_object_fails_the_map(maps: Maps) -> None:
    maps.put("manifest.json", json.dumps({"fileFormat": "ORC", "fileSchema": "Key", "files": []}))
    ended = maps.run(ECHO, **maps.reader(OBJECT, {"InputType": "MANIFEST"}, Key="manifest.json"))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")


def test_results_are_written_by_their_status(maps: Maps) -> None:
    maps.put("items.json", json.dumps([{"n": n, "bad": n == 3} for n in range(10)]))
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": maps.bucket, "Prefix": "results"},
    }
    ended = maps.run(PICKY, **maps.reader(OBJECT, Key="items.json"), ToleratedFailurePercentage=10, ResultWriter=writer)
    output = json.loads(ended["output"])
    manifest = maps.get(output["ResultWriterDetails"]["Key"])
    assert output["MapRunArn"] == manifest["MapRunArn"] == maps.map_run()["mapRunArn"]
    (failed,) = maps.get(manifest["ResultFiles"]["FAILED"][0]["Key"])
    assert (failed["Error"], failed["Cause"], json.loads(failed["Input"])["n"]) == ("Bad", "a bad one", 3)
    succeeded = maps.get(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"])
    assert sorted(json.loads(result["Output"])["n"] for result in succeeded) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_one_failure_too_many_ends_the_map_at_once(maps: Maps) -> None:
    slow = {**PICKY["States"], "Take": {"Type": "Wait", "Seconds": 30, "End": True}}  # type: ignore[dict-item]
    maps.put("items.json", json.dumps([{"n": n, "bad": n < 2} for n in range(20)]))
    ended = maps.run(
        {"StartAt": "Look", "States": slow},
        **maps.reader(OBJECT, Key="items.json"),
        ToleratedFailurePercentage=5,
        MaxConcurrency=2,
    )
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    counts = maps.map_run()["itemCounts"]
    assert (counts["failed"], counts["aborted"]) == (2, 18)


def test_batches_hold_as_many_items_or_bytes_as_they_may() -> None:
    assert batches([1, 2], None) == [(1, 1), (2, 1)]
    assert batches([], {"MaxItemsPerBatch": 2}) == []
    assert batches([1, 2, 3], {"MaxItemsPerBatch": 2, "BatchInput": {"a": 1}}) == [
        ({"BatchInput": {"a": 1}, "Items": [1, 2]}, 2),
        ({"BatchInput": {"a": 1}, "Items": [3]}, 1),
    ]
    assert [count for _, count in batches(["x" * 8] * 5, {"MaxInputBytesPerBatch": 25})] == [2, 2, 1]


def test_executions_and_activities_are_counted_by_the_minute(maps: Maps) -> None:
    activity = maps.states.create_activity(name="bake")["activityArn"]
    state = {"Type": "Task", "Resource": activity, "TimeoutSeconds": 60, "HeartbeatSeconds": 20, "End": True}
    document = {"StartAt": "A", "States": {"A": state}}
    arn = maps.states.create_state_machine(
        name="work", definition=json.dumps(document), roleArn=f"arn:aws:iam::{maps.account.id}:role/states"
    )["stateMachineArn"]
    maps.states.start_execution(stateMachineArn=arn, input="{}")
    maps.states.start_execution(stateMachineArn=arn, input="{}")
    tokens = [maps.states.get_activity_task(activityArn=activity)["taskToken"] for _ in range(2)]
    maps.states.send_task_success(taskToken=tokens[0], output="{}")
    maps.states.send_task_failure(taskToken=tokens[1], error="Bad")
    cloudwatch = maps.account.client("cloudwatch")
    expected = {
        ("ActivityArn", "ActivitiesScheduled"): 2,
        ("ActivityArn", "ActivitiesStarted"): 2,
        ("ActivityArn", "ActivitiesSucceeded"): 1,
        ("ActivityArn", "ActivitiesFailed"): 1,
        ("StateMachineArn", "ExecutionsStarted"): 2,
        ("StateMachineArn", "ExecutionsSucceeded"): 1,
        ("StateMachineArn", "ExecutionsFailed"): 1,
    }

    def counted(dimension: str, name: str) -> float:
        now = datetime.now(UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/States",
            MetricName=name,
            Dimensions=[{"Name": dimension, "Value": activity if dimension == "ActivityArn" else arn}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    for key, count in expected.items():
        wait_until(lambda key=key, count=count: counted(*key) == count, f"{key}: {count}")  # type: ignore[misc]
