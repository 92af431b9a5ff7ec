from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.encryption import EncryptionKey
from components.network import Network
from components.patterns.object_processing import EVENT_FIELDS, Burst, ObjectProcessing, ObjectProcessingArgs
from contracts.manifest import BucketRef, PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

TASK_STATEMENTS = ["ecs:RunTask", "ecs:TagResource", "iam:PassRole"]


def photos(**changes: Any) -> ObjectProcessing:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1", environment={"SIZE": "64"}),
        "function": "thumbs:make",
    }
    return ObjectProcessing("photos", ObjectProcessingArgs(**{**arguments, **changes}))


def environment_of(recorder: Recorder, name: str) -> dict[str, str]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition", name).inputs
    (container,) = json.loads(definition["containerDefinitions"])
    return {item["name"]: item["value"] for item in container["environment"]}


def command_of(recorder: Recorder, name: str) -> Any:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition", name).inputs
    return json.loads(definition["containerDefinitions"])[0]["command"]


def actions_of(recorder: Recorder, policy: str) -> list[str]:
    return [
        action for item in policy_of(recorder.one("RolePolicy", policy).inputs["policy"]) for action in item["Action"]
    ]


def pattern_of(recorder: Recorder) -> Any:
    rule = recorder.one("EventRule").inputs
    assert rule["eventBusName"] == "default"
    return json.loads(rule["eventPattern"])


def manifest_of(**changes: Any) -> PatternManifest:
    seen: list[str] = []
    record(lambda: photos(**changes).manifest().apply(seen.append))
    return PatternManifest.from_json(seen[0])


def test_buffered_has_a_queue_and_one_dispatcher_in_front_of_the_task():
    recorder = record(photos)
    assert recorder.names("aws:sqs/queue:Queue") == ["photos", "photos-dlq", "photos-undelivered"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["photos", "photos-task"]
    assert recorder.names("aws:ecs/service:Service") == ["photos"]
    assert recorder.names("aws:dynamodb/table:Table") == ["photos-idempotency"]
    target = recorder.one("aws:appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (0, 1)
    assert recorder.one("EventTarget").inputs["arn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:photos-0a1b2c3"
    assert recorder.names("MetricAlarm")[:5] == [
        "photos-alarms-dead-letters",
        "photos-alarms-failed-invocations",
        "photos-alarms-no-dispatcher",
        "photos-alarms-oldest-message",
        "photos-alarms-undelivered",
    ]
    assert walk_policies(recorder) == []


def test_direct_has_neither():
    recorder = record(lambda: photos(burst=Burst.DIRECT))
    assert recorder.names("aws:sqs/queue:Queue") == ["photos-undelivered"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["photos-task"]
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert recorder.of_type("aws:appautoscaling/target:Target") == []
    assert recorder.names("aws:s3/bucket:Bucket") == ["photos"]
    assert recorder.names("MetricAlarm") == ["photos-alarms-failed-invocations", "photos-alarms-undelivered"]
    assert walk_policies(recorder) == []


def test_run_task_failures_are_an_alarm_by_the_name_of_the_rule():
    alarm = record(lambda: photos(burst=Burst.DIRECT)).one("MetricAlarm", "photos-alarms-failed-invocations").inputs
    assert alarm["metricName"] == "FailedInvocations"
    assert alarm["dimensions"] == {"RuleName": "photos-0a1b2c3"}
    assert "docs/runbooks/run-task-failures.md" in alarm["alarmDescription"]


def test_a_direct_task_gets_the_events_fields_and_where_they_belong():
    target = record(lambda: photos(burst=Burst.DIRECT)).one("EventTarget").inputs
    transformer = target["inputTransformer"]
    (container,) = json.loads(transformer["inputTemplate"])["containerOverrides"]
    variables = {item["name"]: item["value"] for item in container["environment"]}
    paths = {name: transformer["inputPaths"][variables[name].strip("<>")] for name in EVENT_FIELDS}
    assert paths == EVENT_FIELDS
    assert json.loads(variables["EDA_EVENT_PATHS"]) == EVENT_FIELDS
    assert container["name"] == "worker"
    assert target["ecsTarget"]["taskDefinitionArn"].endswith("task-definition/photos-task-0a1b2c3")
    assert actions_of(record(lambda: photos(burst=Burst.DIRECT)), "photos-delivery-role-policy") == TASK_STATEMENTS


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, None),
        ({"prefix": "in/"}, [{"prefix": "in/"}]),
        ({"suffix": ".jpg"}, [{"suffix": ".jpg"}]),
        ({"prefix": "in*/", "suffix": ".jpg"}, [{"wildcard": "in\\*/*.jpg"}]),
    ],
)
def test_which_objects(changes: dict[str, Any], key: Any):
    pattern = pattern_of(record(lambda: photos(**changes)))
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["bucket"] == {"name": ["photos-0a1b2c3"]}
    assert pattern["detail"].get("object", {}).get("key") == key


def test_an_existing_bucket_is_left_as_it_is():
    recorder = record(lambda: photos(bucket_name="archive"))
    assert recorder.names("aws:s3/bucket:Bucket") == ["photos-large-events"]
    assert recorder.of_type("aws:s3/bucketNotification:BucketNotification") == []
    direct = record(lambda: photos(bucket_name="archive", burst=Burst.DIRECT))
    assert [item for item in direct.resources if item.type.startswith("aws:s3/")] == []
    assert pattern_of(recorder)["detail"]["bucket"] == {"name": ["archive"]}
    statements = policy_of(recorder.one("RolePolicy", "photos-task-task-role-policy").inputs["policy"])
    assert statements[0]["Resource"] == ["arn:aws:s3:::archive/*"]
    assert statements[1] == {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::archive"]}


def test_a_new_bucket_is_private_needs_tls_and_tells_the_default_bus():
    recorder = record(photos)
    assert recorder.one("BucketNotification").inputs["eventbridge"] is True
    block = recorder.one("BucketPublicAccessBlock", "photos-private").inputs
    assert [block[key] for key in sorted(block) if key != "bucket"] == [True] * 4
    (statement,) = policy_of(recorder.one("BucketPolicy", "photos-policy").inputs["policy"])
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_task_handles_one_event_with_its_handler_and_its_memory():
    recorder = record(photos)
    assert command_of(recorder, "photos-task") == ["task"]
    assert environment_of(recorder, "photos-task") == {
        "EDA_PATTERN": "photos",
        "EDA_STACK": "test",
        "HANDLER": "thumbs:make",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "photos-idempotency-0a1b2c3",
        "LOG_LEVEL": "INFO",
        "SIZE": "64",
        "STOP_TIMEOUT_SECONDS": "120",
    }


def test_the_dispatcher_knows_what_to_run_and_how_fast_and_nothing_of_the_handlers():
    recorder = record(lambda: photos(max_running_tasks=7, launches_per_second=2.5, spot=True))
    assert command_of(recorder, "photos") == ["queue"]
    environment = environment_of(recorder, "photos")
    assert environment["HANDLER"] == "worker.handlers.run_task:handle"
    assert environment["CONCURRENCY"] == "7"
    assert environment["LAUNCHES_PER_SECOND"] == "2.5"
    assert environment["LAUNCH_CAPACITY_PROVIDER"] == "FARGATE_SPOT"
    assert environment["LAUNCH_TASK_DEFINITION"].endswith(":task-definition/photos-task-0a1b2c3")
    assert environment["LAUNCH_CONTAINER"] == "worker"
    assert environment["LAUNCH_PUBLIC_IP"] == "true"
    assert len(environment["LAUNCH_SUBNETS"].split(",")) >= 2
    assert "SIZE" not in environment
    actions = actions_of(recorder, "photos-task-role-policy")
    assert actions[-6:] == [*TASK_STATEMENTS, "ecs:DescribeTasks", "ecs:ListTasks", "s3:PutObject"]


def test_large_events_are_private_copies_for_a_day_which_the_dispatcher_writes_and_the_task_reads():
    recorder = record(photos)
    bucket = recorder.one("aws:s3/bucket:Bucket", "photos-large-events").inputs
    assert bucket["forceDestroy"] is True
    block = recorder.one("BucketPublicAccessBlock", "photos-large-events-private").inputs
    assert [block[key] for key in sorted(block) if key != "bucket"] == [True] * 4
    (deny,) = policy_of(recorder.one("BucketPolicy", "photos-large-events-policy").inputs["policy"])
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    (rule,) = recorder.one("BucketLifecycleConfiguration").inputs["rules"]
    assert (rule["status"], rule["filter"], rule["expiration"]) == ("Enabled", {"prefix": ""}, {"days": 1})
    assert recorder.of_type("BucketServerSideEncryptionConfiguration") == []
    assert environment_of(recorder, "photos")["LAUNCH_LARGE_EVENTS"] == "s3://photos-large-events-0a1b2c3/events/"
    below = ["arn:aws:s3:::photos-large-events-0a1b2c3/events/*"]
    for policy, action in (
        ("photos-task-role-policy", "s3:PutObject"),
        ("photos-task-task-role-policy", "s3:GetObject"),
    ):
        statements = policy_of(recorder.one("RolePolicy", policy).inputs["policy"])
        granted = [item for item in statements if "large-events" in json.dumps(item)]
        assert granted == [{"Effect": "Allow", "Action": [action], "Resource": below}]


def test_large_events_have_the_key_of_the_queues():
    def program() -> None:
        photos(encryption_key=EncryptionKey("key"), idempotency_expires_hours=None)

    recorder = record(program)
    (rule,) = recorder.one("BucketServerSideEncryptionConfiguration").inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    key = recorder.one("aws:sqs/queue:Queue", "photos").inputs["kmsMasterKeyId"]
    assert (default["sseAlgorithm"], default["kmsMasterKeyId"]) == ("aws:kms", key)
    for policy in ("photos-task-role-policy", "photos-task-task-role-policy"):
        assert "kms:GenerateDataKey" in actions_of(recorder, policy)
    assert walk_policies(recorder) == []


def test_idempotency_and_alarms_can_be_turned_off():
    recorder = record(lambda: photos(idempotency_expires_hours=None, alarms=False))
    assert recorder.of_type("aws:dynamodb/table:Table") == []
    assert [name for name in recorder.names("MetricAlarm") if name.startswith("photos-alarms")] == []
    assert "IDEMPOTENCY_TABLE" not in environment_of(recorder, "photos-task")


def test_the_handler_gets_what_it_asks_for():
    wanted = Statement(actions=["s3:PutObject"], resources=["arn:aws:s3:::thumbs/*"])
    assert "s3:PutObject" in actions_of(record(lambda: photos(statements=[wanted])), "photos-task-task-role-policy")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"burst": Burst.DIRECT, "spot": True}, "spot with burst direct: nobody runs a reclaimed task again"),
        ({"bucket_name": ""}, "bucket_name is empty"),
        ({"max_running_tasks": 101}, "max_running_tasks is 101; allowed is a whole number from 1 to 100 tasks"),
        ({"launches_per_second": 21}, "launches_per_second is 21; allowed is a number from 0.1 to 20 launches"),
        ({"processing_seconds": 0}, "processing_seconds is 0"),
        (
            {"container": ContainerArgs(image="a", environment={"EVENT_KEY": "x", "EDA_EVENT": "y"})},
            "container sets EDA_EVENT, EVENT_KEY, which the pattern owns; remove it",
        ),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: photos(**changes))
    assert problem in str(caught.value)


def test_the_manifest_says_where_events_wait_and_which_task_they_start():
    manifest = manifest_of(prefix="in/")
    assert manifest.pattern == "object-processing"
    assert manifest.bucket == BucketRef(name="photos-0a1b2c3", prefix="in/")
    assert manifest.task is not None
    assert manifest.task.family == "eda-test-photos-task"
    assert manifest.queue is not None
    assert manifest.service is not None
    assert [queue.holds.value for queue in manifest.dead_letter_queues] == ["messages", "undelivered-events"]
    assert manifest.bus is not None
    assert manifest.bus.arn == f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    direct = manifest_of(burst=Burst.DIRECT)
    assert (direct.queue, direct.service, direct.scaling) == (None, None, None)
    assert [queue.holds.value for queue in direct.dead_letter_queues] == ["undelivered-events"]


@pytest.mark.parametrize("burst", list(Burst))
def test_a_preview_runs_too(burst: Burst):
    assert record(lambda: photos(burst=burst), preview=True).names("EventRule") == ["photos"]
