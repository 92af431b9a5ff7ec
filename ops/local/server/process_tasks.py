"""Gap: Fargate tasks run as local processes.

MiniStack starts tasks through docker-py and, without Docker, reports them as running for ever. Here a container is a
process group (`containers`), an image is an entry of a table (`images`), and the task's environment holds what
Fargate puts there: the metadata and agent endpoints, region, credentials, and nothing of the server's own.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any

from ministack.services import ecs, ssm

from contracts.environment import API_HOST
from ops.local.server.containers import ContainerLaunch, ContainerRegistry, ProcessContainer
from ops.local.server.images import ImageTableError, command_line, find_image, read_image_table
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.task_credentials import TaskCredentials

__all__ = ["SEAMS", "install", "registry", "stop_all_tasks"]

SEAMS = (
    "services.ecs._docker",
    "services.ecs._get_docker",
    "services.ecs._register_metadata",
    "services.ecs._build_run_kwargs",
    "services.ecs._run_docker_container",
    "services.ecs._remove_docker_container",
    "services.ecs._prepare_service_images",
    "services.ecs._deployment_needs_first_task",
    "services.ecs._ImagePullError",
    "services.ecs._tasks",
    "services.ssm.resolve_parameter_value",
)

DEFAULT_STOP_TIMEOUT_SECONDS = 30.0
"""Fargate's default ``stopTimeout``."""

_registry: ContainerRegistry | None = None


def registry() -> ContainerRegistry:
    """The containers of this server."""
    if _registry is None:
        raise RuntimeError("process_tasks is not installed")
    return _registry


def stop_all_tasks(grace_seconds: float) -> None:
    """End every task: SIGTERM, then SIGKILL after `grace_seconds`."""
    registry().stop_all(grace_seconds)


class _Runtime:
    """What MiniStack takes for its Docker client."""

    def __init__(self, containers: ContainerRegistry) -> None:
        self._registry = containers
        self.containers = self

    def get(self, container_id: str) -> ProcessContainer:
        return self._registry.get(container_id)

    def list(self, **_filters: Any) -> Sequence[ProcessContainer]:
        return self._registry.all()


class _Launcher:
    """Turns a container definition into a process."""

    def __init__(self, settings: ServerSettings, containers: ContainerRegistry, credentials: TaskCredentials) -> None:
        self._settings = settings
        self._registry = containers
        self._credentials = credentials
        self._register_metadata = ecs._register_metadata
        self._addresses = itertools.count(1)

    def register_metadata(
        self,
        task_arn: str,
        cluster_arn: str,
        definition: dict[str, Any],
        container: dict[str, Any],
        launch_type: str,
        environment: dict[str, str],
        _host_mode: bool,
        _ministack_address: str | None,
    ) -> str:
        """Add to `environment` what Fargate adds; returns the container's metadata token."""
        token = str(
            self._register_metadata(
                task_arn, cluster_arn, definition, container, launch_type, environment, True, "127.0.0.1"
            )
        )
        for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            environment.pop(name, None)  # MiniStack's belong to no role
        region = current_scope().region
        environment.update(
            ECS_AGENT_URI=f"{self._settings.url}/_local/ecs-agent/{token}",
            AWS_REGION=region,
            AWS_DEFAULT_REGION=region,
            AWS_EXECUTION_ENV="AWS_ECS_FARGATE",
            AWS_EC2_METADATA_DISABLED="true",
            # The developer's own profiles must not reach a task: it has the home directory, as the tools in it need.
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        )
        role_arn = (ecs._tasks.get(task_arn) or {}).get("overrides", {}).get("taskRoleArn") or definition.get(
            "taskRoleArn"
        )
        for name, value in self._credentials.environment(task_arn, role_arn).items():
            environment.setdefault(name, value)
        return token

    def launch_arguments(
        self,
        container: dict[str, Any],
        definition: dict[str, Any],
        environment: dict[str, str],
        _port_bindings: Any,
        _network: Any,
        _host_mode: Any,
        task_id: str,
        task_arn: str,
        _ministack_address: Any,
        _cluster_arn: str,
    ) -> dict[str, ContainerLaunch]:
        """What `run_container` needs; an image without a local command fails as a pull does on AWS."""
        try:
            table_file = self._settings.images_file
            image = find_image(read_image_table(table_file), container["image"], table_file=table_file)
        except ImageTableError as error:
            raise ecs._ImagePullError(str(error)) from error
        directory = container.get("workingDirectory")
        several = len(definition.get("containerDefinitions", [])) > 1
        task = ecs._tasks.get(task_arn) or {}
        group: str = task.get("group") or ""
        owner = group.removeprefix("service:") if group.startswith("service:") else definition["family"]
        suffix = f"-{container['name']}" if several else ""
        address = task.setdefault("_local_address", self._next_address())
        return {
            "launch": ContainerLaunch(
                task_arn=task_arn,
                name=container["name"],
                image=container["image"],
                command=command_line(image, container.get("entryPoint"), container.get("command")),
                environment={
                    **image.environment,
                    # On Fargate a task has an interface of its own; here it must not listen on every address.
                    API_HOST: address,
                    **{name: str(value) for name, value in environment.items()},
                },
                working_directory=directory or image.working_directory,
                stop_timeout_seconds=float(container.get("stopTimeout") or DEFAULT_STOP_TIMEOUT_SECONDS),
                log_file=self._settings.logs_directory / f"{owner}-{task_id}{suffix}.log",
                ip_address=address,
            )
        }

    def run_container(
        self, _client: Any, _container: Any, arguments: dict[str, ContainerLaunch], **_image_options: Any
    ) -> ProcessContainer:
        """Start the process."""
        launch = arguments["launch"]
        try:
            return self._registry.start(launch)
        except OSError as error:
            raise RuntimeError(f"CannotStartContainerError: {launch.command[0]}: {error.strerror or error}") from error

    def _next_address(self) -> str:
        """An address of its own for each task, so that two tasks can listen on one port; two servers do not share."""
        if sys.platform != "linux":  # elsewhere only 127.0.0.1 answers
            return "127.0.0.1"
        number = next(self._addresses)
        return f"127.{self._settings.port % 254 + 1}.{number // 254 % 254 + 1}.{number % 254 + 1}"


def _remove_container(_client: Any, container_or_id: ProcessContainer | str | None) -> None:
    if container_or_id is None:
        return
    if isinstance(container_or_id, str):
        found = [container for container in registry().all() if container.id == container_or_id]
    else:
        found = [container_or_id]
    for container in found:
        container.stop()
        container.remove()


def install(settings: ServerSettings) -> None:
    """Run the tasks of MiniStack's ECS as processes."""
    global _registry
    resolve_parameter = ssm.resolve_parameter_value

    def decrypted(name_or_arn: str, version: str | None = None, decrypt: bool = True) -> str | None:
        value: str | None = resolve_parameter(name_or_arn, version, decrypt)
        return value

    _registry = ContainerRegistry(settings.tasks_directory)
    launcher = _Launcher(settings, _registry, TaskCredentials(settings))
    ecs._docker = _Runtime(_registry)
    ecs._register_metadata = launcher.register_metadata
    ecs._build_run_kwargs = launcher.launch_arguments
    ecs._run_docker_container = launcher.run_container
    ecs._remove_docker_container = _remove_container
    ssm.resolve_parameter_value = decrypted  # MiniStack gives a container the ciphertext of a SecureString
    # There is no registry to resolve a tag in: all tasks of a deployment start at once.
    ecs._prepare_service_images = lambda *_arguments: None
    ecs._deployment_needs_first_task = lambda *_arguments: False
