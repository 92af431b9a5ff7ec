from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.network import Network
from components.patterns.scheduled_task import Overlap, ScheduledTask, ScheduledTaskArgs
from components.routers.schedule_expression import expression_problem, time_zone_problem
from contracts.manifest import PatternManifest, ScheduleRef
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record


def report(**changes: Any) -> ScheduledTask:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1"),
        "expression": "cron(0 8 ? * MON-FRI *)",
        "function": "reports:make",
    }
    return ScheduledTask("report", ScheduledTaskArgs(**{**arguments, **changes}))


def schedule_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:scheduler/schedule:Schedule", "report").inputs)


def environment_of(recorder: Recorder) -> dict[str, str]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs
    (container,) = json.loads(definition["containerDefinitions"])
    assert container["command"] == ["task"]
    return {item["name"]: item["value"] for item in container["environment"]}


def test_a_schedule_a_task_a_table_and_a_dead_letter_queue():
    recorder = record(report)
    assert recorder.names("aws:sqs/queue:Queue") == ["report-unstarted"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["report-task"]
    assert recorder.names("aws:dynamodb/table:Table") == ["report-idempotency"]
    assert recorder.names("MetricAlarm") == ["report-unstarted"]
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert walk_policies(recorder) == []


def test_the_schedule_says_when_and_runs_the_latest_revision():
    schedule = schedule_of(record(report))
    assert schedule["scheduleExpression"] == "cron(0 8 ? * MON-FRI *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule["flexibleTimeWindow"] == {"mode": "OFF"}
    assert schedule["state"] == "ENABLED"
    target = schedule["target"]
    assert target["arn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3"
    assert target["deadLetterConfig"] == {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:report-unstarted-0a1b2c3"}
    assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 185}
    parameters = target["ecsParameters"]
    assert parameters["taskDefinitionArn"].endswith(":task-definition/report-task-0a1b2c3")
    assert parameters["capacityProviderStrategies"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    assert parameters["networkConfiguration"]["assignPublicIp"] is True


def test_the_task_gets_an_event_with_the_time_it_was_planned_for():
    target = schedule_of(record(lambda: report(data={"kind": "weekly"})))["target"]
    (container,) = json.loads(target["input"])["containerOverrides"]
    (variable,) = container["environment"]
    assert (container["name"], variable["name"]) == ("worker", "EDA_EVENT")
    event = json.loads(variable["value"])
    assert event["detail"] == {
        "metadata": {"idempotency-key": "report/<aws.scheduler.scheduled-time>"},
        "data": {"kind": "weekly", "scheduled-time": "<aws.scheduler.scheduled-time>"},
    }
    assert (event["source"], event["detail-type"]) == ("report.schedule", "ScheduledTask")


def test_scheduler_may_run_this_task_and_keep_what_it_could_not():
    statements = policy_of(record(report).one("RolePolicy", "report-schedule-role-policy").inputs["policy"])
    actions = [action for statement in statements for action in statement["Action"]]
    assert actions == ["ecs:RunTask", "ecs:TagResource", "iam:PassRole", "sqs:SendMessage"]
    trust = policy_of(record(report).one("aws:iam/role:Role", "report-schedule-role").inputs["assumeRolePolicy"])
    assert trust[0]["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize("overlap", list(Overlap))
def test_the_overlap_rule_is_the_workers(overlap: Overlap):
    environment = environment_of(record(lambda: report(overlap=overlap)))
    assert environment["RUN_OVERLAP"] == overlap.value
    assert environment["IDEMPOTENCY_TABLE"] == "report-idempotency-0a1b2c3"


def test_options():
    changes = {"time_zone": "Australia/Melbourne", "flexible_window_minutes": 15, "enabled": False, "spot": True}
    recorder = record(lambda: report(**changes, alarms=False))
    schedule = schedule_of(recorder)
    assert schedule["scheduleExpressionTimezone"] == "Australia/Melbourne"
    assert schedule["flexibleTimeWindow"] == {"mode": "FLEXIBLE", "maximumWindowInMinutes": 15}
    assert schedule["state"] == "DISABLED"
    strategies = schedule["target"]["ecsParameters"]["capacityProviderStrategies"]
    assert strategies == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert recorder.of_type("MetricAlarm") == []


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(90 days)",
        "at(2026-12-24T18:00:00)",
        "cron(0/15 * * * ? *)",
        "cron(0 8 ? * 2#1 2026-2030)",
    ],
)
def test_expressions_that_scheduler_takes(expression: str):
    assert expression_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("5 minutes", "allowed: cron("),
        ("rate(0 minutes)", "a rate is at least 1"),
        ("rate(5 seconds)", "allowed: cron("),
        ("at(2026-02-30T00:00:00)", "day is out of range"),
        ("cron(0 8 * * *)", "which has 5 fields"),
        ("cron(0 8 * * * *)", "exactly one of day-of-month and day-of-week is '?'"),
        ("cron(0 8 ? * ? *)", "exactly one of day-of-month and day-of-week is '?'"),
        ("cron(0 8 ? * M;N *)", "'M;N' is no cron field"),
    ],
)
def test_expressions_that_it_does_not(expression: str, problem: str):
    assert problem in str(expression_problem(expression))


def test_time_zones():
    assert time_zone_problem("Europe/Berlin") is None
    assert "'Mars/Olympus'" in str(time_zone_problem("Mars/Olympus"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expression": "daily"}, "expression is 'daily'"),
        ({"time_zone": "Mars/Olympus"}, "time_zone is 'Mars/Olympus'"),
        ({"flexible_window_minutes": 1441}, "flexible_window_minutes is 1441"),
        ({"maximum_event_age_seconds": 59}, "maximum_event_age_seconds is 59"),
        ({"data": {"text": "x" * 9000}}, "characters of overrides; ECS allows 8,192"),
        ({"overlap": "never"}, "overlap is 'never'"),
        (
            {"container": ContainerArgs(image="a", environment={"RUN_OVERLAP": "x"})},
            "sets RUN_OVERLAP, which the pattern",
        ),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: report(**changes))
    assert problem in str(caught.value)


def test_the_manifest_says_when_what_and_where_the_unstarted_are():
    seen: list[str] = []
    record(lambda: report().manifest().apply(seen.append))
    manifest = PatternManifest.from_json(seen[0])
    assert manifest.schedule == ScheduleRef(
        name="report-0a1b2c3", expression="cron(0 8 ? * MON-FRI *)", time_zone="UTC", overlap="skip"
    )
    assert manifest.task is not None
    assert [queue.name for queue in manifest.dead_letter_queues] == ["report-unstarted-0a1b2c3"]


def test_a_preview_runs_too():
    assert record(report, preview=True).names("aws:scheduler/schedule:Schedule") == ["report"]
