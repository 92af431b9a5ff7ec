"""What the deployer refuses, and how it says so: nothing of a program is left out without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program

URN = "urn:pulumi:local::eda::"


@pytest.mark.parametrize(
    ("source", "error_type", "expected"),
    [
        pytest.param(
            'aws.mq.Configuration("broker", engine_type="RabbitMQ", engine_version="3.13", data="")',
            "ResourceError",
            [URN + "aws:mq/configuration:Configuration::broker", "cannot create resources of type"],
            id="unknown type",
        ),
        pytest.param(
            'aws.cloudwatch.EventBus("bus", log_config={"level": "INFO", "include_detail": "FULL"})',
            "ResourceError",
            [URN + "aws:cloudwatch/eventBus:EventBus::bus", "'logConfig'", "it knows"],
            id="unknown property",
        ),
        pytest.param(
            'aws.ecs.TaskDefinition("t", family="t", container_definitions=\'[{"name": "a", "imagee": "b"}]\')',
            "ResourceError",
            ["RegisterTaskDefinition.containerDefinitions[0].imagee", "no such member", "image"],
            id="unknown nested property",
        ),
        pytest.param(
            'aws.sqs.QueuePolicy("policy", queue_url="http://127.0.0.1/000000000000/none", policy="{}")',
            "ResourceError",
            [URN + "aws:sqs/queuePolicy:QueuePolicy::policy", "SetQueueAttributes answered", "NonExistentQueue"],
            id="AWS refuses",
        ),
        pytest.param(
            'aws.sqs.Queue("long", delay_seconds="soon")',
            "ResourceError",
            ["CreateQueue answered", "DelaySeconds"],
            id="wrong type",
        ),
        pytest.param(
            f'aws.iam.Role("{"r" * 60}", assume_role_policy="{{}}")',
            "ResourceError",
            ["has 68 characters and the service accepts 64", "shorten"],
            id="name too long",
        ),
        pytest.param(
            'aws.sqs.Queue("q").url.apply(lambda url: 1 / 0)',
            "ProgramError",
            ["ZeroDivisionError"],
            id="program raises in apply",
        ),
        pytest.param('{}["missing"]', "ProgramError", ["KeyError", "'missing'", "program.py:"], id="program raises"),
        pytest.param(
            'raise ValueError("patterns.orders.scaling.max: -1 is below 0")',
            "ProgramError",
            ["patterns.orders.scaling.max: -1 is below 0"],
            id="program's own sentence",
        ),
        pytest.param(
            "aws.get_ip_ranges_output(services=['ec2'])",
            "ProgramError",
            ["aws:index/getIpRanges:getIpRanges"],
            id="unknown function",
        ),
        pytest.param(
            'pulumi.ComponentResource("eda:x:Y", "c", None, pulumi.ResourceOptions(transforms=[lambda args: None]))',
            "ResourceError",
            [URN + "eda:x:Y::c", "does not run transforms"],
            id="transform of a component",
        ),
        pytest.param(
            'pulumi.runtime.register_resource_transform(lambda args: None)\naws.sqs.Queue("q")',
            "ProgramError",
            ["does not run transforms"],
            id="transform of the stack",
        ),
        pytest.param(
            'aws.sqs.Queue.get("old", "http://127.0.0.1/q")',
            "ResourceError",
            ["aws:sqs/queue:Queue::old", "starts empty"],
            id="reading an existing resource",
        ),
    ],
)
def test_an_error_names_the_place_and_the_reason(
    account: Account, tmp_path: Path, source: str, error_type: str, expected: list[str]
) -> None:
    run = run_program(account, tmp_path, source)
    assert run.error_type == error_type, run.error
    for part in expected:
        assert part in run.error
    assert "Traceback" not in run.error


def test_a_component_is_part_of_the_urn_and_creates_nothing(account: Account, tmp_path: Path) -> None:
    run = run_program(
        account,
        tmp_path,
        """
        class Orders(pulumi.ComponentResource):
            def __init__(self):
                super().__init__("eda:stores:Orders", "orders")
                aws.sqs.Queue("good", opts=pulumi.ResourceOptions(parent=self))
                aws.sqs.Queue("bad", delay_seconds=-1, visibility_timeout_seconds=99999999,
                              opts=pulumi.ResourceOptions(parent=self))
        Orders()
        """,
    )
    assert run.error.startswith(URN + "eda:stores:Orders$aws:sqs/queue:Queue::bad: CreateQueue answered")


def test_a_resource_of_another_region_is_created_there(account: Account, tmp_path: Path) -> None:
    run = run_program(
        account,
        tmp_path,
        """
        tokyo = aws.Provider("tokyo", region="ap-northeast-1")
        there = aws.sqs.Queue("there", opts=pulumi.ResourceOptions(provider=tokyo))
        also = aws.sqs.Queue("also", region="us-west-2")
        here = aws.sqs.Queue("here")
        for name, queue in {"there": there, "also": also, "here": here}.items():
            pulumi.export(name, queue.arn)
        """,
    )
    regions = {name: arn.split(":")[3] for name, arn in run.outputs.items()}
    assert regions == {"there": "ap-northeast-1", "also": "us-west-2", "here": account.region}
