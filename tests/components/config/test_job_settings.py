from __future__ import annotations

import json
from typing import Any

import pytest

from components.config import SettingsError, parse
from components.config.job import JobSettings
from tests.program.support import run_program, settings_of

MINIMUM = {"pattern": "job", "handler": {"image": "registry.example/worker:1"}}


def parsed(changes: dict[str, Any]) -> JobSettings:
    pattern = parse({"patterns": json.dumps({"reports": {**MINIMUM, **changes}})}, "dev").patterns["reports"]
    assert isinstance(pattern, JobSettings)
    return pattern


def test_the_defaults():
    settings = parsed({})
    assert (settings.url, settings.spot, settings.reserved_concurrency) == (True, False, None)
    assert (settings.patience_seconds, settings.retention_days) == (3600, 30)
    assert (settings.unlaunched_seconds, settings.unfinished_seconds) == (300, 86_400)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"patience_seconds": 59}, "patterns.reports.patience_seconds: got 59; allowed: a whole number from 60"),
        ({"retention_days": 0}, "patterns.reports.retention_days: got 0"),
        ({"unfinished_seconds": 2_000_000}, "patterns.reports.unfinished_seconds: got 2000000"),
        ({"url": "yes"}, "patterns.reports.url: got the text 'yes'; allowed: true or false"),
        ({"queue": {}}, "patterns.reports.queue:"),
        ({"handler": {"image": "a", "environment": {"EDA_JOB_ID": "x"}}}, "EDA_JOB_ID is set by the program"),
    ],
)
def test_a_mistake_is_one_line(changes: dict[str, Any], line: str):
    with pytest.raises(SettingsError) as caught:
        parsed(changes)
    (problem,) = caught.value.problems
    assert line in problem


def test_what_the_settings_say_arrives():
    config = settings_of("prod")
    values = {"patience_seconds": 600, "retention_days": 7, "spot": True, "url": False, "reserved_concurrency": 5}
    config["eda:patterns"] = {"reports": {**MINIMUM, **values, "unlaunched_seconds": 120, "unfinished_seconds": 7200}}
    recorder = run_program(config, stack="prod")
    create = recorder.one("aws:lambda/function:Function", "reports-create").inputs
    variables = create["environment"]["variables"]
    assert (variables["JOB_PATIENCE_SECONDS"], variables["JOB_RETENTION_DAYS"]) == ("600", "7")
    assert variables["LAUNCH_CAPACITY_PROVIDER"] == "FARGATE_SPOT"
    assert create["reservedConcurrentExecutions"] == 5
    assert recorder.of_type("aws:lambda/functionUrl:FunctionUrl") == []
    assert recorder.one("aws:dynamodb/table:Table").inputs["serverSideEncryption"]["kmsKeyArn"]
    alarms = {item.name: item.inputs for item in recorder.of_type("MetricAlarm")}
    assert alarms["reports-alarms-unlaunched"]["threshold"] == 120
    assert alarms["reports-alarms-unfinished"]["threshold"] == 7200
    assert alarms["reports-alarms-untracked"]["alarmActions"]
