"""RunTask with a client token: one task, whoever asks and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.server.run_task_tokens import Tokens
from tests.ops.local.server.helpers import Fargate


def run(fargate: Fargate, definition: str, token: str, **request: Any) -> list[str]:
    answer = fargate.ecs.run_task(
        cluster=fargate.cluster, taskDefinition=definition, launchType="FARGATE", clientToken=token, **request
    )
    return [task["taskArn"] for task in answer["tasks"]]


def test_twenty_calls_at_once_start_one_task(fargate: Fargate):
    definition = fargate.define("once", ["sleep 600"])
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: run(fargate, definition, "token"), range(20)))
    assert len({tuple(arns) for arns in found}) == 1
    assert fargate.ecs.list_tasks(cluster=fargate.cluster)["taskArns"] == found[0]
    assert run(fargate, definition, "other token") != found[0]


def test_the_same_token_with_other_parameters_names_the_task_that_it_belongs_to(fargate: Fargate):
    definition = fargate.define("conflict", ["sleep 600"])
    arns = run(fargate, definition, "token")
    with pytest.raises(ClientError) as caught:
        run(fargate, definition, "token", startedBy="somebody-else")
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    assert caught.value.response["resourceIds"] == arns  # type: ignore[typeddict-item]  # of this exception


def test_a_standalone_task_is_of_its_familys_group(fargate: Fargate):
    definition = fargate.define("grouped", ["sleep 600"])
    (arn,) = run(fargate, definition, "token")
    assert fargate.task(arn)["group"] == "family:grouped"
    (named,) = run(fargate, definition, "named", group="mine")
    assert fargate.task(named)["group"] == "mine"


def test_a_token_is_forgotten_after_a_day():
    now = [0.0]
    tokens = Tokens(clock=lambda: now[0])
    tokens.keep(("a",), "{}", ["arn"])
    now[0] = 86_399
    assert tokens.find(("a",)) is not None
    now[0] = 86_400
    assert tokens.find(("a",)) is None
