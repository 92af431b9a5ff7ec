from __future__ import annotations

from components.core.iam import policy_document
from components.workflows.activity import Activity
from tests.recorder import ACCOUNT, REGION, policy_of, record


def test_an_activity_is_one_resource_and_its_workers_may_use_it_and_no_other():
    seen: list[str] = []

    def program() -> None:
        policy_document(Activity("resize").work()).apply(seen.append)

    recorder = record(program)
    assert recorder.names("aws:sfn/activity:Activity") == ["resize"]
    assert policy_of(seen[0]) == [
        {
            "Effect": "Allow",
            "Action": [
                "states:GetActivityTask",
                "states:SendTaskFailure",
                "states:SendTaskHeartbeat",
                "states:SendTaskSuccess",
            ],
            "Resource": [f"arn:aws:states:{REGION}:{ACCOUNT}:activity:resize-0a1b2c3"],
        }
    ]
