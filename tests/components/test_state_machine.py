from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.task import Task, TaskArgs
from components.compute.task_definition import TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.network import Network
from components.stores.bucket import Bucket
from components.workflows.activity import Activity
from components.workflows.branches import DistributedMap, InlineMap, InputType, ItemsInObject, ObjectList, Parallel
from components.workflows.definition import Definition
from components.workflows.retries import Catch, RetryArgs
from components.workflows.state_machine import ExecutionLog, StateMachine, StateMachineArgs
from components.workflows.states import Choice, Fail, Pass, State, Succeed, Wait
from components.workflows.task_states import ActivityState, CallbackTask, RunTask, StartTask, until_started
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:eda-test-orders"


def definition_of(recorder: Recorder) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(recorder.one(STATE_MACHINE).inputs["definition"])
    return document


def role_of(recorder: Recorder) -> dict[str, list[dict[str, Any]]]:
    """Statements of the state machine's role by their first action."""
    found: dict[str, list[dict[str, Any]]] = {}
    for statement in policy_of(recorder.one("RolePolicy", "orders-states-role-policy").inputs["policy"]):
        found.setdefault(statement["Action"][0], []).append(statement)
    return found


def tasks(*names: str) -> list[Task]:
    cluster, network = Cluster("cluster"), Network("network")
    return [
        Task(
            name,
            TaskArgs(
                cluster=cluster,
                network=network,
                definition=TaskDefinitionArgs(container=ContainerArgs(image="registry.example/worker:1")),
            ),
        )
        for name in names
    ]


def machine(*states: State, **args: Any) -> StateMachine:
    return StateMachine("orders", StateMachineArgs(definition=Definition(states=states), **args))


def problems(*states: State) -> list[str]:
    with pytest.raises(InvalidArgsError) as raised:
        record(lambda: machine(*states))
    return list(raised.value.problems)


def test_a_state_machine_has_a_log_traces_a_role_and_a_name_that_is_known_beforehand():
    recorder = record(lambda: machine(Succeed(name="done")))
    assert recorder.children() == {
        "aws:cloudwatch/logGroup:LogGroup": 1,
        "aws:iam/role:Role": 1,
        "aws:iam/rolePolicy:RolePolicy": 1,
        "aws:sfn/stateMachine:StateMachine": 1,
    }
    made = recorder.one(STATE_MACHINE).inputs
    assert (made["name"], made["type"]) == ("eda-test-orders", "STANDARD")
    assert made["tracingConfiguration"] == {"enabled": True}
    group = "/aws/vendedlogs/states/eda-test-orders"
    assert made["loggingConfiguration"] == {
        "level": "ALL",
        "includeExecutionData": False,
        "logDestination": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
    }
    assert recorder.one("LogGroup").inputs["retentionInDays"] == 30
    assert definition_of(recorder) == {
        "TimeoutSeconds": 86_400,
        "StartAt": "done",
        "States": {"done": {"Type": "Succeed"}},
    }
    assert sorted(role_of(recorder)) == ["logs:CreateLogDelivery", "xray:GetSamplingRules"]
    assert walk_policies(recorder) == []


def test_without_log_and_traces_the_role_may_do_nothing_and_has_no_policy():
    recorder = record(lambda: machine(Succeed(name="done"), log_level=ExecutionLog.OFF, tracing=False))
    assert recorder.of_type("RolePolicy") == []
    assert "loggingConfiguration" not in recorder.one(STATE_MACHINE).inputs


def test_the_role_may_run_each_task_in_its_cluster_with_its_roles_and_watch_those_it_waits_for():
    def program() -> None:
        first, second = tasks("check", "bake")
        machine(
            RunTask(name="check", task=first, timeout_seconds=60, next="bake"),
            CallbackTask(name="bake", task=second, timeout_seconds=600, heartbeat_seconds=120),
        )

    recorder = record(program)
    role = role_of(recorder)
    assert role["ecs:RunTask"] == [
        {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{n}-0a1b2c3:*" for n in ("check", "bake")],
            "Condition": {"ArnEquals": {"ecs:cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3"}},
        }
    ]
    assert role["ecs:DescribeTasks"][0]["Resource"] == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster-0a1b2c3/*"]
    assert role["events:DescribeRule"] == [
        {
            "Effect": "Allow",
            "Action": ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            "Resource": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForECSTaskRule"],
        }
    ]
    (passed,) = role["iam:PassRole"]
    assert len(passed["Resource"]) == 4
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert walk_policies(recorder) == []


def test_without_sync_the_role_watches_nothing():
    def program() -> None:
        (task,) = tasks("bake")
        machine(CallbackTask(name="bake", task=task, timeout_seconds=600, heartbeat_seconds=120))

    role = role_of(record(program))
    assert not {"ecs:DescribeTasks", "events:DescribeRule"} & role.keys()


def test_a_callback_gets_token_input_and_heartbeat_in_its_environment():
    def program() -> None:
        (task,) = tasks("bake")
        machine(CallbackTask(name="bake", task=task, timeout_seconds=600, heartbeat_seconds=120, key="$.order"))

    state = definition_of(record(program))["States"]["bake"]
    assert state["Resource"] == "arn:aws:states:::ecs:runTask.waitForTaskToken"
    assert (state["TimeoutSeconds"], state["HeartbeatSeconds"], state["ResultPath"]) == (600, 120, "$.steps.bake")
    parameters = state["Parameters"]
    (container,) = parameters.pop("Overrides")["ContainerOverrides"]
    assert container == {
        "Name": "worker",
        "Environment": [
            {"Name": "WORKFLOW_INPUT", "Value.$": "States.JsonToString($)"},
            {"Name": "WORKFLOW_STEP", "Value.$": "$$.State.Name"},
            {"Name": "WORKFLOW_EXECUTION", "Value.$": "$$.Execution.Id"},
            {"Name": "WORKFLOW_KEY", "Value.$": "$.order"},
            {"Name": "WORKFLOW_TASK_TOKEN", "Value.$": "$$.Task.Token"},
            {"Name": "WORKFLOW_HEARTBEAT_SECONDS", "Value": "120"},
        ],
    }
    network = parameters.pop("NetworkConfiguration")["AwsvpcConfiguration"]
    assert (len(network["Subnets"]), len(network["SecurityGroups"]), network["AssignPublicIp"]) == (2, 1, "ENABLED")
    assert parameters == {
        "Cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3",
        "TaskDefinition": "eda-test-bake",
        "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Weight": 1}],
        "PropagateTags": "TASK_DEFINITION",
    }


def test_retries_are_on_and_begin_with_what_no_retry_can_help():
    def program() -> None:
        (task,) = tasks("bake")
        machine(
            RunTask(
                name="bake",
                task=task,
                timeout_seconds=60,
                retry=RetryArgs(attempts=2, interval_seconds=10, max_delay_seconds=20),
                catch=[Catch(next="sorry")],
            ),
            Fail(name="sorry", error="NoPizza"),
        )

    state = definition_of(record(program))["States"]["bake"]
    assert [(item["ErrorEquals"], item["MaxAttempts"]) for item in state["Retry"]] == [
        (["ECS.AmazonECSException", "ECS.ServerException", "ECS.ThrottlingException", "AmazonECS.Unknown"], 30),
        (["ECS.InvalidParameterException"], 3),
        (["Worker.Refused", "Worker.ResultTooLarge"], 0),
        (["Worker.Interrupted"], 20),
        (["States.TaskFailed", "States.HeartbeatTimeout"], 2),
    ]
    assert state["Retry"][-1] == {
        "ErrorEquals": ["States.TaskFailed", "States.HeartbeatTimeout"],
        "MaxAttempts": 2,
        "IntervalSeconds": 10,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": 20,
        "JitterStrategy": "FULL",
    }
    assert state["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "sorry"}]


def test_an_activity_gets_the_step_and_its_input():
    def program() -> None:
        machine(ActivityState(name="bake", activity=Activity("ovens"), timeout_seconds=60, heartbeat_seconds=10))

    state = definition_of(record(program))["States"]["bake"]
    assert state["Resource"] == f"arn:aws:states:{REGION}:{ACCOUNT}:activity:ovens-0a1b2c3"
    assert state["Parameters"] == {
        "step": {"name.$": "$$.State.Name", "execution.$": "$$.Execution.Id"},
        "input.$": "$",
    }
    assert state["Retry"][0] == {"ErrorEquals": ["Worker.Refused", "Worker.ResultTooLarge"], "MaxAttempts": 0}


def test_a_start_without_capacity_is_seen_and_tried_again():
    def program() -> None:
        (task,) = tasks("bake")
        machine(*until_started(StartTask(name="bake-it", task=task)))

    states = definition_of(record(program))["States"]
    assert list(states) == ["bake-it", "bake-it-started", "bake-it-again", "bake-it-done"]
    assert states["bake-it"]["Next"] == "bake-it-started"
    assert states["bake-it-started"] == {
        "Type": "Choice",
        "Choices": [{"Variable": "$.steps.bake_it.started[0]", "IsPresent": True, "Next": "bake-it-done"}],
        "Default": "bake-it-again",
    }
    assert states["bake-it-again"] == {"Type": "Wait", "Seconds": 30, "Next": "bake-it"}


def test_branches_and_maps_hold_states_whose_tasks_the_role_may_run():
    def program() -> None:
        first, second = tasks("check", "bake")
        inside = Definition(states=[RunTask(name="check", task=first, timeout_seconds=60)])
        other = Definition(states=[Pass(name="label")])
        machine(
            Parallel(name="both", branches=[inside, other], next="each"),
            InlineMap(
                name="each",
                items_path="$.pizzas",
                processor=Definition(states=[RunTask(name="bake", task=second, timeout_seconds=60, key="$.id")]),
            ),
        )

    recorder = record(program)
    states = definition_of(recorder)["States"]
    assert [list(branch["States"]) for branch in states["both"]["Branches"]] == [["check"], ["label"]]
    assert states["each"]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}
    assert states["each"]["ItemProcessor"]["StartAt"] == "bake"
    assert len(role_of(recorder)["ecs:RunTask"][0]["Resource"]) == 2


@pytest.mark.parametrize("listed", [True, False])
def test_a_distributed_map_reads_its_items_and_starts_its_own_children(listed: bool):
    def program() -> None:
        bucket = Bucket("photos")
        items = (
            ObjectList(bucket=bucket, prefix_path="$.prefix")
            if listed
            else ItemsInObject(bucket=bucket, key_path="$.key", input_type=InputType.CSV, max_items=5)
        )
        resize = ActivityState(name="resize", activity=Activity("resize"), timeout_seconds=60, heartbeat_seconds=10)
        machine(DistributedMap(name="all", items=items, processor=Definition(states=[resize]), max_concurrency=50))

    recorder = record(program)
    state = definition_of(recorder)["States"]["all"]
    assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert (state["MaxConcurrency"], state["ToleratedFailurePercentage"], state["Label"]) == (50, 0, "all")
    role = role_of(recorder)
    assert role["states:StartExecution"][0]["Resource"] == [MACHINE]
    execution = MACHINE.replace(":stateMachine:", ":execution:")
    assert role["states:DescribeExecution"][0]["Resource"] == [f"{execution}:*", f"{execution}/*:*"]
    if listed:
        assert state["ItemReader"] == {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "photos-0a1b2c3", "Prefix.$": "$.prefix"},
        }
        assert role["s3:ListBucket"][0]["Resource"] == ["arn:aws:s3:::photos-0a1b2c3"]
    else:
        config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 5}
        assert state["ItemReader"]["ReaderConfig"] == config
        assert role["s3:GetObject"][0]["Resource"] == ["arn:aws:s3:::photos-0a1b2c3/*"]
    assert walk_policies(recorder) == []


def test_a_definition_that_cannot_work_is_refused_with_every_mistake():
    def program() -> None:
        machine(
            Pass(name="a", next="c", result_path="x"),
            Choice(name="b", branches=[], default="a"),
            ActivityState(name="d", activity=Activity("ovens"), timeout_seconds=10, heartbeat_seconds=10, key="x"),
            Wait(name="d", seconds=1, until_path="$.x"),
            Wait(name="e", seconds=5, next="e"),
        )

    with pytest.raises(InvalidArgsError) as raised:
        record(program)
    assert list(raised.value.problems) == [
        "state 'd' is there twice",
        "state 'a': result_path is 'x'; allowed is a JSONPath, e.g. $.detail.data",
        "state 'a' leads to 'c', which is not there; there are a, b, d, e",
        "state 'b': branches has 0 entries; name at least one",
        "state 'd': key is 'x'; allowed is a JSONPath or an intrinsic function, e.g. $.order, States.UUID()",
        "state 'd': heartbeat_seconds is 10, not less than timeout_seconds (10); lower it",
        "state 'd': set exactly one of seconds and until_path",
        "state 'b' is never reached",
        "state 'd' is never reached",
        "state 'e' is never reached",
    ]


def test_a_circle_without_an_end_is_refused():
    assert problems(Wait(name="a", seconds=1, next="b"), Wait(name="b", seconds=1, next="a")) == [
        "state 'a' leads to no end",
        "state 'b' leads to no end",
    ]
    assert problems() == ["states has 0 entries; name at least one"]
    assert problems(Succeed(name="x" * 81)) == [f"state {'x' * 81!r} has 81 characters; allowed are 1 to 80"]
    inner = Definition(states=[Pass(name="p", next="q")])
    assert problems(InlineMap(name="m", processor=inner, max_concurrency=50)) == [
        "state 'm': max_concurrency is 50; allowed is a whole number from 1 to 40 items",
        "state 'p' leads to 'q', which is not there; there are p",
    ]


def test_overrides_that_leave_no_room_are_refused():
    def program() -> None:
        (task,) = tasks("bake")
        machine(StartTask(name="bake", task=task, environment={"X": "y" * 8192}))

    with pytest.raises(InvalidArgsError, match="the overrides have 8,4.. characters before the input is in"):
        record(program)


def test_arguments_out_of_range_are_refused():
    with pytest.raises(InvalidArgsError) as raised:
        record(lambda: machine(Succeed(name="x"), timeout_seconds=0, log_level="OFF", log_execution_data=True))
    assert raised.value.problems == (
        "timeout_seconds is 0; allowed is a whole number from 1 to 99,999,999 seconds",
        "log_execution_data is True with log_level OFF: nothing is logged then; choose another level",
    )


def test_a_preview_knows_the_state_machine():
    def program() -> None:
        (task,) = tasks("bake")
        machine(RunTask(name="bake", task=task, timeout_seconds=60))

    assert record(program, preview=True).names(STATE_MACHINE) == ["orders"]
