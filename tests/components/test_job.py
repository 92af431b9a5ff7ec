from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.function import function_code
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network
from components.patterns.job import Job, JobArgs
from contracts.manifest import JobsRef, PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

ROOT = Path(__file__).parents[2]


def job(**changes: Any) -> Job:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1"),
        "function": "reports:make",
    }
    return Job("report", JobArgs(**{**arguments, **changes}))


def function_of(recorder: Recorder, name: str) -> dict[str, Any]:
    return dict(recorder.one("aws:lambda/function:Function", name).inputs)


def variables_of(recorder: Recorder, name: str) -> dict[str, str]:
    found: dict[str, str] = function_of(recorder, name)["environment"]["variables"]
    return found


def actions_of(recorder: Recorder, role: str) -> dict[str, list[str]]:
    """Action → resources."""
    statements = policy_of(recorder.one("RolePolicy", f"{role}-policy").inputs["policy"])
    return {action: statement["Resource"] for statement in statements for action in statement["Action"]}


def test_a_table_two_functions_a_queue_and_two_dead_letter_queues():
    recorder = record(job)
    assert recorder.names("aws:dynamodb/table:Table") == ["report-jobs"]
    assert recorder.names("aws:lambda/function:Function") == ["report-create", "report-track"]
    assert recorder.names("aws:sqs/queue:Queue") == ["report-track", "report-track-dlq", "report-track-undelivered"]
    assert recorder.names("EventRule") == ["report-create-tick", "report-track"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["report-task"]
    assert len(recorder.of_type("aws:cloudwatch/logGroup:LogGroup")) == 3
    assert all(item.inputs["retentionInDays"] == 30 for item in recorder.of_type("aws:cloudwatch/logGroup:LogGroup"))
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert walk_policies(recorder) == []


def test_the_table_has_an_index_a_ttl_and_a_way_back():
    table = record(job).one("aws:dynamodb/table:Table").inputs
    assert table["hashKey"] == "job_id"
    (index,) = table["globalSecondaryIndexes"]
    assert index == {
        "name": "by-state",
        "keySchemas": [
            {"attributeName": "state", "keyType": "HASH"},
            {"attributeName": "created_at", "keyType": "RANGE"},
        ],
        "projectionType": "ALL",
    }
    assert table["ttl"] == {"attributeName": "expires_at", "enabled": True}
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert table["billingMode"] == "PAY_PER_REQUEST"


def test_a_key_of_ones_own_encrypts_table_and_queues_and_the_functions_may_use_it():
    recorder = record(lambda: job(encryption_key=EncryptionKey("key")))
    assert (
        recorder.one("aws:dynamodb/table:Table").inputs["serverSideEncryption"]["kmsKeyArn"].endswith("key/key-0a1b2c3")
    )
    assert all("kmsMasterKeyId" in queue.inputs for queue in recorder.of_type("aws:sqs/queue:Queue"))
    for role in ("report-create-role", "report-track-role"):
        assert "kms:Decrypt" in actions_of(recorder, role)
    assert walk_policies(recorder) == []


def test_the_function_that_creates_may_record_run_look_and_stop():
    recorder = record(job)
    actions = actions_of(recorder, "report-create-role")
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/report-jobs-0a1b2c3"
    tasks = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster-0a1b2c3/*"
    roles = [f"arn:aws:iam::{ACCOUNT}:role/report-task-{kind}-role-0a1b2c3" for kind in ("execution", "task")]
    assert actions == {
        "logs:CreateLogStream": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:report-create-logs-0a1b2c3:*"],
        "logs:PutLogEvents": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:report-create-logs-0a1b2c3:*"],
        "dynamodb:GetItem": [table],
        "dynamodb:PutItem": [table],
        "dynamodb:UpdateItem": [table],
        "dynamodb:Query": [f"{table}/index/by-state"],
        "ecs:RunTask": [
            f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/report-task-0a1b2c3:*",
        ],
        "ecs:TagResource": [tasks],
        "iam:PassRole": roles,
        "ecs:DescribeTasks": [tasks],
        "ecs:ListTasks": ["*"],
        "ecs:StopTask": [tasks],
    }
    trust = policy_of(recorder.one("aws:iam/role:Role", "report-create-role").inputs["assumeRolePolicy"])
    assert trust[0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert trust[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_function_that_tracks_may_write_and_receive_and_nothing_else():
    actions = actions_of(record(job), "report-track-role")
    assert sorted(actions) == [
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ]


def test_the_functions_know_what_they_need():
    recorder = record(lambda: job(patience_seconds=600, retention_days=7, spot=True))
    common = {
        "EDA_STACK": "test",
        "EDA_PATTERN": "report",
        "JOB_TABLE": "report-jobs-0a1b2c3",
        "JOB_RETENTION_DAYS": "7",
        "LAUNCH_CLUSTER": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3",
        "LAUNCH_CONTAINER": "worker",
    }
    assert variables_of(recorder, "report-track") == common
    create = variables_of(recorder, "report-create")
    assert create.items() >= common.items()
    assert create["JOB_PATIENCE_SECONDS"] == "600"
    assert create["LAUNCH_CAPACITY_PROVIDER"] == "FARGATE_SPOT"
    assert create["LAUNCH_TASK_DEFINITION"].endswith(":task-definition/report-task-0a1b2c3")
    assert len(create["LAUNCH_SUBNETS"].split(",")) == 2


def test_only_events_of_this_patterns_tasks_in_this_cluster_are_followed():
    recorder = record(job)
    pattern = json.loads(recorder.one("EventRule", "report-track").inputs["eventPattern"])
    assert pattern == {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {
            "clusterArn": [f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3"],
            "startedBy": [{"prefix": "job/report/"}],
        },
    }
    mapping = recorder.one("aws:lambda/eventSourceMapping:EventSourceMapping").inputs
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["eventSourceArn"].endswith(":report-track-0a1b2c3")
    queue = recorder.one("aws:sqs/queue:Queue", "report-track").inputs
    # Lambda refuses a mapping whose queue has a shorter visibility timeout than the function takes.
    assert queue["visibilityTimeoutSeconds"] == 6 * function_of(recorder, "report-track")["timeout"]


def test_the_tick_calls_the_function_and_its_dead_letter_queue_takes_it():
    recorder = record(job)
    rule = recorder.one("EventRule", "report-create-tick").inputs
    assert rule["scheduleExpression"] == "rate(1 minute)"
    target = recorder.one("EventTarget", "report-create-tick").inputs
    assert json.loads(target["input"]) == {"detail-type": "JobsTick"}
    assert target["deadLetterConfig"]["arn"].endswith(":report-track-undelivered-0a1b2c3")
    permission = recorder.one("aws:lambda/permission:Permission").inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"].endswith(":rule/report-create-tick-0a1b2c3")
    (policy,) = [p for p in recorder.of_type("QueuePolicy") if p.name == "report-track-undelivered-policy"]
    (allow,) = [one for one in policy_of(policy.inputs["policy"]) if one["Effect"] == "Allow"]
    assert sorted(arn.rpartition("/")[2] for arn in allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == [
        "report-create-tick-0a1b2c3",
        "report-track-0a1b2c3",
    ]


def test_the_url_takes_signed_requests_only_and_can_be_left_out():
    recorder = record(job)
    assert recorder.one("aws:lambda/functionUrl:FunctionUrl").inputs["authorizationType"] == "AWS_IAM"
    assert record(lambda: job(url=False)).of_type("aws:lambda/functionUrl:FunctionUrl") == []


def test_callers_are_granted_the_call_and_the_url():
    grants: list[Any] = []
    record(lambda: grants.extend(job().create.create()))
    assert [grant.actions for grant in grants] == [["lambda:InvokeFunction"], ["lambda:InvokeFunctionUrl"]]
    record(lambda: grants.extend(job(url=False).create.create()))
    assert len(grants) == 3


def test_concurrency_is_shared_unless_it_is_asked_for():
    assert "reservedConcurrentExecutions" not in function_of(record(job), "report-create")
    recorder = record(lambda: job(reserved_concurrency=5))
    assert function_of(recorder, "report-create")["reservedConcurrentExecutions"] == 5


def test_alarms_say_what_to_type_and_name_a_runbook():
    recorder = record(lambda: job(alarm_topic_arn="arn:aws:sns:r:1:topic"))
    alarms = {item.name: item.inputs for item in recorder.of_type("MetricAlarm")}
    assert sorted(alarms) == [
        f"report-alarms-{name}"
        for name in ("create-errors", "undelivered", "unfinished", "unlaunchable", "unlaunched", "untracked")
    ]
    for alarm in alarms.values():
        assert alarm["alarmActions"] == ["arn:aws:sns:r:1:topic"]
        assert re.search(r"First: ops --stack test (jobs list|peek-dlq) report", alarm["alarmDescription"])
        assert (ROOT / alarm["alarmDescription"].rpartition("Runbook: ")[2]).exists()
    unlaunched = alarms["report-alarms-unlaunched"]
    assert unlaunched["dimensions"] == {"Stack": "test", "Pattern": "report"}
    assert (unlaunched["metricName"], unlaunched["threshold"]) == ("OldestUnlaunchedSeconds", 300)
    assert unlaunched["treatMissingData"] == "notBreaching"
    assert record(lambda: job(alarms=False)).of_type("MetricAlarm") == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"patience_seconds": 59}, "patience_seconds is 59"),
        ({"retention_days": 0}, "retention_days is 0"),
        ({"reserved_concurrency": 0}, "reserved_concurrency is 0"),
        ({"unlaunched_seconds": 1}, "unlaunched_seconds is 1"),
        (
            {"container": ContainerArgs(image="a", environment={"EDA_JOB_ID": "x"})},
            "sets EDA_JOB_ID, which the pattern",
        ),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: job(**changes))
    assert problem in str(caught.value)


def test_the_manifest_says_where_jobs_are_created_and_kept():
    seen: list[str] = []
    record(lambda: job().manifest().apply(seen.append))
    manifest = PatternManifest.from_json(seen[0])
    assert manifest.jobs == JobsRef(
        table="report-jobs-0a1b2c3",
        create_function="report-create-0a1b2c3",
        track_function="report-track-0a1b2c3",
        container="worker",
        retention_days=30,
        url=f"https://0a1b.lambda-url.{REGION}.on.aws/",
    )
    assert manifest.task is not None
    assert [queue.name for queue in manifest.dead_letter_queues] == [
        "report-track-dlq-0a1b2c3",
        "report-track-undelivered-0a1b2c3",
    ]
    assert len(manifest.alarms) == 6
    record(lambda: job(url=False).manifest().apply(seen.append))
    jobs = PatternManifest.from_json(seen[1]).jobs
    assert jobs is not None
    assert jobs.url is None


def test_a_preview_runs_too():
    assert record(job, preview=True).children() == record(job).children()


def test_the_package_is_all_that_the_functions_need(tmp_path: Path):
    """With nothing on the path but the package, boto3 and the standard library, the handlers are there."""
    archive: Any = function_code()
    assert all(not Path(asset.path).name.endswith(".pyc") for asset in archive.assets.values())
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as target:
        for name, asset in archive.assets.items():
            target.writestr(name, Path(asset.path).read_bytes())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import functions.create_job, functions.track_job;"
        "assert callable(functions.create_job.handle) and callable(functions.track_job.handle);"
        "top = {name.partition('.')[0] for name in sys.modules};"
        "assert not top & {'pydantic', 'pulumi', 'aws_lambda_powertools', 'worker', 'ops', 'components'}, top;"
        "assert 'code.zip' in functions.__file__"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "code.zip")],
        cwd=tmp_path,
        env={"AWS_DEFAULT_REGION": REGION},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
