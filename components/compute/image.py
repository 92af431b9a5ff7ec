"""BuiltImage: an image built from a Dockerfile and pushed to a repository of its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

from components.compute.container import ContainerImage
from components.compute.task_definition import Architecture
from components.core.base import Component
from components.core.validation import Check, OneOf, Range, check

__all__ = ["BuiltImage", "BuiltImageArgs"]

_PLATFORMS = {
    Architecture.X86_64: docker_build.Platform.LINUX_AMD64,
    Architecture.ARM64: docker_build.Platform.LINUX_ARM64,
}


@dataclass(frozen=True, kw_only=True)
class BuiltImageArgs:
    """Arguments of `BuiltImage`.

    Attributes:
        context: directory whose files the build may copy, relative to the program.
        dockerfile: default ``<context>/Dockerfile``.
        architecture: of the tasks that run it; default X86_64.
        target: stage of the Dockerfile to build; default None, the last.
        keep_images: 1 to 1,000; older ones expire, and with them the task definitions that name them; default 50.
    """

    context: str
    dockerfile: str | None = None
    architecture: Architecture = Architecture.X86_64
    target: str | None = None
    keep_images: int = 50


_RULES = (
    Check(("context",), lambda args: not args.context, "context is empty; name the directory to build, e.g. '.'"),
    OneOf("architecture", tuple(item.value for item in Architecture)),
    Range("keep_images", 1, 1_000, "images"),
)


class BuiltImage(Component):
    """Builds with Docker (BuildKit) during `pulumi up`, not during a preview.

    The tag moves; tasks name the digest, so a running task never changes under its definition.

    Attributes:
        uri: ``<repository>@sha256:…``.
        repository_arn, repository_url: where it is.
        image, repository: the raw resources.
    """

    def __init__(self, name: str, args: BuiltImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"BuiltImage {name!r}", args, _RULES)
        self.repository = self._create_repository(args.keep_images)
        self.repository_arn: pulumi.Output[str] = self.repository.arn
        self.repository_url: pulumi.Output[str] = self.repository.repository_url
        self.image = self._build(args)
        self.uri: pulumi.Output[str] = self.image.ref.apply(lambda ref: re.sub(r":[^:@/]+@", "@", ref))
        self.publish({"uri": self.uri, "repository_url": self.repository_url})

    @property
    def container_image(self) -> ContainerImage:
        """For `ContainerArgs.image`."""
        return ContainerImage(uri=self.uri, repository_arn=self.repository_arn)

    def _create_repository(self, keep_images: int) -> aws.ecr.Repository:
        repository = aws.ecr.Repository(
            self.name,
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            image_tag_mutability="MUTABLE",
            # What is in it can be built again; without this the stack could not be destroyed.
            force_delete=True,
            opts=self.child(),
        )
        keep = {
            "rulePriority": 1,
            "description": f"Keep the newest {keep_images}",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep_images},
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            f"{self.name}-lifecycle",
            repository=repository.name,
            policy=json.dumps({"rules": [keep]}),
            opts=self.child(),
        )
        return repository

    def _build(self, args: BuiltImageArgs) -> docker_build.Image:
        token = aws.ecr.get_authorization_token_output(
            registry_id=self.repository.registry_id, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        dockerfile = args.dockerfile or f"{args.context.rstrip('/') or '/'}/Dockerfile"
        return docker_build.Image(
            self.name,
            context=docker_build.BuildContextArgs(location=args.context),
            dockerfile=docker_build.DockerfileArgs(location=dockerfile),
            target=args.target,
            platforms=[_PLATFORMS[Architecture(args.architecture)]],
            tags=[pulumi.Output.concat(self.repository_url, ":latest")],
            push=True,
            build_on_preview=False,
            registries=[
                docker_build.RegistryArgs(
                    address=self.repository_url,
                    username=token.user_name,
                    password=pulumi.Output.secret(token.password),
                )
            ],
            opts=self.child(),
        )
