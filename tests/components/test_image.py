from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.compute.container import ContainerArgs
from components.compute.image import BuiltImage, BuiltImageArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from tests.recorder import ACCOUNT, REGION, policy_of, record

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/orders-image-0a1b2c3"
DIGEST = f"sha256:{'0' * 64}"


def test_a_dockerfile_becomes_an_image_in_a_repository_of_its_own():
    recorder = record(lambda: BuiltImage("orders-image", BuiltImageArgs(context=".")))
    assert recorder.children() == {
        "aws:ecr/repository:Repository": 1,
        "aws:ecr/lifecyclePolicy:LifecyclePolicy": 1,
        "docker-build:index:Image": 1,
    }
    image = recorder.one("docker-build:index:Image", "orders-image")
    inputs = dict(image.inputs)
    registries = inputs.pop("registries")
    assert inputs == {
        "buildOnPreview": False,
        "context": {"location": "."},
        "dockerfile": {"location": "./Dockerfile"},
        "network": "default",  # the provider's own default
        "platforms": ["linux/amd64"],
        "push": True,
        "tags": [f"{REPOSITORY}:latest"],
    }
    assert image.secrets == {"registries"}  # the login never appears in the state
    assert registries == [{"address": REPOSITORY, "password": "secret", "username": "AWS"}]


def test_the_repository_scans_and_does_not_grow_for_ever():
    recorder = record(lambda: BuiltImage("orders-image", BuiltImageArgs(context="worker", keep_images=7)))
    assert recorder.one("aws:ecr/repository:Repository").inputs == {
        "forceDelete": True,
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTagMutability": "MUTABLE",
    }
    lifecycle = recorder.one("LifecyclePolicy", "orders-image-lifecycle").inputs
    assert lifecycle["repository"] == "orders-image-0a1b2c3"
    (rule,) = json.loads(lifecycle["policy"])["rules"]
    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 7}
    assert rule["action"] == {"type": "expire"}


def test_every_option_reaches_the_build():
    args = BuiltImageArgs(
        context="worker/", dockerfile="docker/Dockerfile", architecture=Architecture.ARM64, target="runtime"
    )
    build = record(lambda: BuiltImage("orders-image", args)).one("docker-build:index:Image").inputs
    assert build["context"] == {"location": "worker/"}
    assert build["dockerfile"] == {"location": "docker/Dockerfile"}
    assert build["platforms"] == ["linux/arm64"]
    assert build["target"] == "runtime"


@pytest.mark.parametrize(("context", "dockerfile"), [("worker/", "worker/Dockerfile"), ("/", "//Dockerfile")])
def test_the_dockerfile_is_in_the_context_unless_named(context: str, dockerfile: str):
    build = record(lambda: BuiltImage("orders-image", BuiltImageArgs(context=context)))
    assert build.one("docker-build:index:Image").inputs["dockerfile"] == {"location": dockerfile}


def test_a_task_names_the_digest_and_pulls_from_that_repository_only():
    seen: list[str] = []

    def program() -> None:
        built = BuiltImage("orders-image", BuiltImageArgs(context="."))
        TaskDefinition("orders", TaskDefinitionArgs(container=ContainerArgs(image=built.container_image)))
        pulumi.Output.from_input(built.uri).apply(seen.append)

    recorder = record(program)
    assert seen == [f"{REPOSITORY}@{DIGEST}"]
    (container,) = json.loads(recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    assert container["image"] == f"{REPOSITORY}@{DIGEST}"
    statements = policy_of(recorder.one("RolePolicy", "orders-execution-role-policy").inputs["policy"])
    assert statements[1]["Resource"] == [f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/orders-image-0a1b2c3"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"context": ""}, "context is empty; name the directory to build, e.g. '.'"),
        ({"context": ".", "keep_images": 0}, "keep_images is 0; allowed is a whole number from 1 to 1,000 images"),
        (
            {"context": ".", "architecture": "RISCV"},
            "architecture is 'RISCV'; allowed is one of 'X86_64', 'ARM64'",
        ),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: BuiltImage("orders-image", BuiltImageArgs(**options)))
    assert str(caught.value) == f"BuiltImage 'orders-image': {problem}"


def test_it_runs_with_unknown_outputs():
    recorder = record(lambda: BuiltImage("orders-image", BuiltImageArgs(context=".")), preview=True)
    assert len(recorder.of_type("docker-build:index:Image")) == 1
