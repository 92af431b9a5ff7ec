"""Activities and state machines: created by a Pulumi program, described by boto3."""

from __future__ import annotations

import json
from pathlib import Path

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program

PROGRAM = """
import json
logs = aws.cloudwatch.LogGroup("logs")
role = aws.iam.Role("role", assume_role_policy="{}")
activity = aws.sfn.Activity("resize")
machine = aws.sfn.StateMachine(
    "orders",
    name="eda-test-orders",
    role_arn=role.arn,
    definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
    logging_configuration={
        "level": "ALL", "include_execution_data": True, "log_destination": logs.arn.apply(lambda arn: arn + ":*")
    },
    tracing_configuration={"enabled": True},
)
pulumi.export("activity", activity.arn)
pulumi.export("machine", machine.arn)
"""


def test_activities_and_state_machines_are_there(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, PROGRAM)
    assert run.error == ""
    states = account.client("stepfunctions")
    activity = states.describe_activity(activityArn=run.outputs["activity"])
    assert activity["name"].startswith("resize-")
    machine = states.describe_state_machine(stateMachineArn=run.outputs["machine"])
    assert (machine["name"], machine["type"], machine["status"]) == ("eda-test-orders", "STANDARD", "ACTIVE")
    assert json.loads(machine["definition"])["StartAt"] == "Done"
    logging = machine["loggingConfiguration"]
    assert (logging["level"], logging["includeExecutionData"]) == ("ALL", True)
    (destination,) = logging["destinations"]
    assert ":log-group:logs-" in destination["cloudWatchLogsLogGroup"]["logGroupArn"]
