from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.config import SettingsError, parse
from components.core.errors import ComponentError, InvalidArgsError
from components.network import NatMode, Network, NetworkArgs
from components.patterns.airflow import TASK_FILE, Airflow, AirflowArgs
from components.patterns.from_settings.airflow import dag_files
from components.shared import endpoint_services
from components.workflows.airflow import WebserverAccess
from components.workflows.airflow_args import requirements_text
from contracts.manifest import AirflowRef, PatternManifest, TaskRef
from tests.emulator import ROOT
from tests.policies import walk_policies
from tests.program.support import run_program, settings_of
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

DAG = ROOT / "dags" / "run_fargate_task.py"


def nightly(network: NetworkArgs | None = None, **changes: Any) -> Airflow:
    arguments: dict[str, Any] = {
        "network": Network("network", network or NetworkArgs(nat=NatMode.GATEWAY)),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1"),
        "function": "reports:make",
        "dag_files": {"reports.py": "from airflow import DAG"},
    }
    return Airflow("nightly", AirflowArgs(**{**arguments, **changes}))


def environment_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:mwaa/environment:Environment").inputs)


def objects_of(recorder: Recorder) -> dict[str, Any]:
    return {item.inputs["key"]: item.inputs.get("content") for item in recorder.of_type("BucketObjectv2")}


def statements_of(recorder: Recorder) -> dict[str, dict[str, Any]]:
    statements = policy_of(recorder.one("RolePolicy", "nightly-execution-role-policy").inputs["policy"])
    return {action: statement for statement in statements for action in statement["Action"]}


def test_an_environment_with_a_bucket_a_role_a_group_and_a_task():
    recorder = record(nightly)
    assert recorder.names("aws:mwaa/environment:Environment") == ["nightly"]
    assert recorder.names("aws:s3/bucket:Bucket") == ["nightly-dags"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["nightly-task"]
    assert recorder.names("MetricAlarm") == ["nightly-alarms-scheduler", "nightly-alarms-task-failures"]
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert walk_policies(recorder) == []


def test_the_environment_is_private_logged_and_bounded():
    environment = environment_of(record(nightly))
    assert environment["name"] == "eda-test-nightly"
    assert environment["webserverAccessMode"] == "PRIVATE_ONLY"
    assert environment["environmentClass"] == "mw1.small"
    assert (environment["minWorkers"], environment["maxWorkers"]) == (1, 5)
    assert environment["dagS3Path"] == "dags/"
    assert "requirementsS3Path" not in environment
    logs = environment["loggingConfiguration"]
    assert len(logs) == 5
    assert all(log == {"enabled": True, "logLevel": "INFO"} for log in logs.values())
    network = environment["networkConfiguration"]
    assert network["subnetIds"] == ["network-private-1-0a1b2c3", "network-private-2-0a1b2c3"]
    assert network["securityGroupIds"] == ["nightly-airflow-0a1b2c3", "network-tasks-0a1b2c3"]


def test_the_environment_has_no_strategy_of_one_update():
    assert "workerReplacementStrategy" not in environment_of(record(nightly))


def test_of_three_zones_mwaa_gets_two():
    environment = environment_of(record(lambda: nightly(NetworkArgs(nat=NatMode.GATEWAY, availability_zones=3))))
    assert len(environment["networkConfiguration"]["subnetIds"]) == 2


def test_options_reach_the_environment():
    environment = environment_of(
        record(
            lambda: nightly(
                webserver_access=WebserverAccess.PUBLIC,
                environment_class="mw1.micro",
                airflow_version="2.10.1",
                configuration={"core.parallelism": "4"},
                airflow_log_level="WARNING",
            )
        )
    )
    assert environment["webserverAccessMode"] == "PUBLIC_ONLY"
    assert (environment["minWorkers"], environment["maxWorkers"]) == (1, 1)
    assert environment["airflowVersion"] == "2.10.1"
    assert environment["airflowConfigurationOptions"] == {"core.parallelism": "4"}
    assert environment["loggingConfiguration"]["taskLogs"]["logLevel"] == "WARNING"


def test_the_bucket_is_as_mwaa_demands():
    recorder = record(nightly)
    assert recorder.one("BucketVersioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    block = recorder.one("BucketPublicAccessBlock").inputs
    assert [block[key] for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls")] == [True] * 3
    assert recorder.of_type("BucketNotification") == []


def test_only_the_environment_talks_to_itself():
    recorder = record(nightly)
    ingress = recorder.one("SecurityGroupIngressRule", "nightly-airflow-ingress").inputs
    assert ingress["referencedSecurityGroupId"] == ingress["securityGroupId"] == "nightly-airflow-0a1b2c3"
    assert "cidrIpv4" not in ingress


def test_the_role_is_mwaas_own_and_named_after_the_environment():
    recorder = record(nightly)
    role = recorder.one("aws:iam/role:Role", "nightly-execution-role").inputs
    (trust,) = policy_of(role["assumeRolePolicy"])
    assert trust["Principal"] == {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    statements = statements_of(recorder)
    assert statements["airflow:PublishMetrics"]["Resource"] == [
        f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/eda-test-nightly"
    ]
    assert statements["logs:CreateLogGroup"]["Resource"] == [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:airflow-eda-test-nightly-*"
    ]
    assert statements["sqs:SendMessage"]["Resource"] == [f"arn:aws:sqs:{REGION}:*:airflow-celery-*"]
    assert statements["kms:Decrypt"]["Condition"] == {
        "StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"},
        "StringNotEquals": {"aws:ResourceAccount": ACCOUNT},
    }
    assert statements["s3:ListBucket"]["Resource"] == ["arn:aws:s3:::nightly-dags-0a1b2c3"]


def test_the_dags_may_run_watch_and_stop_this_task_only():
    statements = statements_of(record(nightly))
    assert statements["ecs:RunTask"]["Resource"] == [
        f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/nightly-task-0a1b2c3:*"
    ]
    assert statements["iam:PassRole"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }
    assert len(statements["iam:PassRole"]["Resource"]) == 2
    tasks = [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster-0a1b2c3/*"]
    assert statements["ecs:DescribeTasks"]["Resource"] == statements["ecs:StopTask"]["Resource"] == tasks
    assert statements["ecs:ListTasks"]["Condition"]
    (logs,) = statements["logs:GetLogEvents"]["Resource"]
    assert logs.endswith(":nightly-task-logs-0a1b2c3:*")


def test_requirements_are_constrained_and_versioned():
    recorder = record(lambda: nightly(requirements=["pandas==2.2.3"]))
    assert objects_of(recorder)["requirements.txt"].splitlines() == [
        '--constraint "https://raw.githubusercontent.com/apache/airflow/constraints-2.10.3/constraints-3.11.txt"',
        "pandas==2.2.3",
    ]
    assert environment_of(recorder)["requirementsS3Path"] == "requirements.txt"


def test_a_constraint_of_ones_own_stands():
    lines = ['--constraint "/usr/local/airflow/dags/constraints.txt"', "pandas"]
    assert requirements_text(lines, "2.10.3") == "\n".join(lines) + "\n"


def test_the_dag_reads_exactly_what_the_pattern_writes():
    document = json.loads(objects_of(record(nightly))[f"dags/{TASK_FILE}"])
    read = set(re.findall(r'TASK\["(\w+)"\]', DAG.read_text())) | set(re.findall(r"TASK\['(\w+)'\]", DAG.read_text()))
    assert read == document.keys()
    assert document["task_definition"] == "eda-test-nightly-task"
    assert document["log_stream_prefix"] == "nightly-task/worker"
    assert document["network_configuration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


def test_the_example_dag_parses_and_waits_for_a_task_that_runs_already():
    calls = [node for node in ast.walk(ast.parse(DAG.read_text())) if isinstance(node, ast.Call)]
    (operator,) = [call for call in calls if getattr(call.func, "id", "") == "EcsRunTaskOperator"]
    arguments = {keyword.arg: keyword.value for keyword in operator.keywords}
    assert isinstance(arguments["reattach"], ast.Constant)
    assert arguments["reattach"].value is True


def test_the_folder_is_uploaded_as_it_is(tmp_path: Path):
    for path in ("a.py", "inner/b.py", "__pycache__/a.pyc", "query.sql"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("text")
    files = dag_files("nightly", str(tmp_path))
    assert list(files) == ["a.py", "inner/b.py", "query.sql"]
    assert isinstance(files["a.py"], pulumi.FileAsset)


@pytest.mark.parametrize(("make", "what"), [(False, "is no folder"), (True, "has no Python file")])
def test_a_folder_without_dags_is_refused(tmp_path: Path, make: bool, what: str):
    folder = tmp_path / "flows"
    if make:
        folder.mkdir()
    with pytest.raises(ComponentError, match=f"patterns.nightly.dags: .*flows' {what}"):
        dag_files("nightly", str(folder))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"network": NetworkArgs()}, "the network's subnets are public (nat: none)"),
        ({"network": NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1"])}, "the network has 1 subnet; MWAA needs two"),
        (
            {"environment_class": "mw1.tiny"},
            "environment_class is 'mw1.tiny'; allowed is one of 'mw1.micro', 'mw1.small'",
        ),
        ({"airflow_version": "1.10.12"}, "airflow_version is '1.10.12'; allowed is one of"),
        ({"max_workers": 26}, "max_workers is 26; allowed is a whole number from 1 to 25 workers"),
        ({"min_workers": 4, "max_workers": 2}, "min_workers is 4, more than max_workers (2)"),
        ({"environment_class": "mw1.micro", "max_workers": 3}, "an mw1.micro environment has exactly one worker"),
        ({"dag_files": {"../secrets.py": "x"}}, "dag_files has ['../secrets.py']"),
        ({"dag_files": {TASK_FILE: "{}"}}, "dag_files has fargate_task.json, which the pattern writes"),
        ({"configuration": {"parallelism": "4"}}, "configuration has ['parallelism']; an option is section.key"),
        ({"airflow_log_level": "LOUD"}, "log_level is 'LOUD'"),
    ],
)
def test_what_mwaa_would_refuse_is_refused_at_once(changes: dict[str, Any], expected: str):
    with pytest.raises(InvalidArgsError, match=re.escape(expected)):
        record(lambda: nightly(**changes))


SETTINGS = {"pattern": "airflow", "handler": {"image": "registry.example/worker:1", "function": "reports:make"}}


@pytest.mark.parametrize(
    ("network", "changes", "expected"),
    [
        ({}, {}, "patterns.nightly.pattern: airflow needs private subnets"),
        (
            {"vpc_id": "vpc-0abc", "subnet_ids": ["subnet-1"]},
            {},
            "patterns.nightly.pattern: airflow needs two subnets in two availability zones",
        ),
        (
            {"nat": "endpoints"},
            {"requirements": ["pandas"]},
            "patterns.nightly.requirements: pip reaches no package index",
        ),
        (
            {"nat": "gateway"},
            {"environment": {"min_workers": 3, "max_workers": 2}},
            "patterns.nightly.environment: min_workers is 3, more than max_workers (2)",
        ),
        ({"nat": "gateway"}, {"schedule": "daily"}, "patterns.nightly.schedule: got 'daily'; allowed: cron"),
    ],
)
def test_wrong_settings_are_refused(network: dict[str, Any], changes: dict[str, Any], expected: str):
    config = {"network": json.dumps(network), "patterns": json.dumps({"nightly": {**SETTINGS, **changes}})}
    with pytest.raises(SettingsError) as caught:
        parse(config, "dev")
    assert any(problem.startswith(expected) for problem in caught.value.problems), caught.value.problems


def test_a_network_without_internet_gets_the_endpoints_that_airflow_needs():
    config = {"network": json.dumps({"nat": "endpoints"}), "patterns": json.dumps({"nightly": SETTINGS})}
    assert {"airflow.api", "airflow.env", "ecs", "kms", "monitoring", "sqs"} <= set(
        endpoint_services(parse(config, "dev"))
    )


@pytest.mark.parametrize("preview", [False, True])
def test_the_whole_program_with_airflow(preview: bool):
    config = settings_of("prod")
    config["eda:patterns"] = {"nightly": {**SETTINGS, "dags": str(ROOT / "dags"), "schedule": "0 3 * * *"}}
    recorder = run_program(config, preview=preview)
    assert recorder.names("aws:mwaa/environment:Environment") == ["nightly"]
    assert walk_policies(recorder) == []
    if not preview:
        keys = {item.inputs["key"] for item in recorder.of_type("BucketObjectv2")}
        assert keys == {"dags/run_fargate_task.py", f"dags/{TASK_FILE}"}
        manifest = PatternManifest.from_json(recorder.one("Parameter", "nightly-manifest").inputs["value"])
        assert isinstance(manifest.airflow, AirflowRef)
        assert isinstance(manifest.task, TaskRef)
        assert manifest.airflow.environment == "eda-test-nightly"
