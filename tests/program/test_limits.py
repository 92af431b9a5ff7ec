"""What the real services refuse and mocks do not: character sets, lengths, sizes of what the program registers."""

from __future__ import annotations

import json
import re

import pytest

from tests.program.support import STACKS, run_program, settings_of
from tests.recorder import Recorder

# EC2 API reference, CreateSecurityGroup, GroupDescription.
_SECURITY_GROUP_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
# IAM API reference, CreateRole, Description.
_ROLE_TEXT = re.compile(r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]{0,1000}")


@pytest.fixture(scope="module", params=STACKS)
def recorder(request: pytest.FixtureRequest) -> Recorder:
    return run_program(settings_of(request.param), stack=request.param)


def test_descriptions_are_in_the_alphabet_of_their_service(recorder: Recorder):
    for kind in ("SecurityGroup", "SecurityGroupEgressRule", "SecurityGroupIngressRule"):
        for item in recorder.of_type(kind):
            assert _SECURITY_GROUP_TEXT.fullmatch(item.inputs.get("description", "-")), item
    for role in recorder.of_type("aws:iam/role:Role"):
        assert _ROLE_TEXT.fullmatch(role.inputs.get("description", "")), role
    for rule in recorder.of_type("EventRule"):
        assert len(rule.inputs.get("description", "")) <= 512
    for alarm in recorder.of_type("MetricAlarm"):
        assert len(alarm.inputs["alarmDescription"]) <= 1024


def test_logical_names_leave_room_for_the_providers_suffix(recorder: Recorder):
    longest = {"aws:iam/role:Role": 64, "EventRule": 64, "aws:cloudwatch/eventArchive:EventArchive": 48}
    for kind, limit in longest.items():
        for item in recorder.of_type(kind):
            if item.custom:
                assert len(item.name) + len("-0123456") <= limit, item.name


def test_policies_are_within_their_quotas(recorder: Recorder):
    sizes: dict[str, int] = {}
    for policy in recorder.of_type("aws:iam/rolePolicy:RolePolicy"):
        role = policy.inputs["role"]
        sizes[role] = sizes.get(role, 0) + len(re.sub(r"\s", "", policy.inputs["policy"]))
    assert sizes
    assert max(sizes.values()) <= 10_240  # all inline policies of a role together


def test_a_task_definition_is_within_64_kib(recorder: Recorder):
    for definition in recorder.of_type("aws:ecs/taskDefinition:TaskDefinition"):
        if definition.custom:
            assert len(json.dumps(definition.inputs)) <= 65_536


def test_metric_math_stays_within_ten_metrics_and_names_what_it_returns(recorder: Recorder):
    for alarm in recorder.of_type("MetricAlarm"):
        queries = alarm.inputs.get("metricQueries", [])
        assert len(queries) <= 10
        if queries:
            assert sum(bool(query.get("returnData")) for query in queries) == 1
