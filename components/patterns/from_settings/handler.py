"""Settings of a handler → what its task runs; shared by all patterns that run one."""

from __future__ import annotations

from components.compute.container import ContainerArgs, ContainerImage
from components.compute.image import BuiltImage, BuiltImageArgs
from components.config.compute import HandlerSettings
from components.core.iam import Statement

__all__ = ["container_from", "permissions_from"]


def container_from(name: str, handler: HandlerSettings) -> ContainerArgs:
    """The container, its image built if the settings say so."""
    secrets = {key: arn for key, arn in handler.secrets.items() if ":secretsmanager:" in arn}
    return ContainerArgs(
        image=_image(name, handler),
        command=handler.command,
        environment=handler.environment,
        secrets=secrets,
        parameters={key: arn for key, arn in handler.secrets.items() if key not in secrets},
        stop_timeout_seconds=handler.stop_timeout_seconds,
    )


def permissions_from(handler: HandlerSettings) -> list[Statement]:
    """What the handler may do beyond what its pattern needs."""
    return [Statement(actions=item.actions, resources=item.resources) for item in handler.permissions]


def _image(name: str, handler: HandlerSettings) -> ContainerImage:
    if handler.build is None:
        return ContainerImage(uri=handler.image or "")
    built = BuiltImage(
        f"{name}-image",
        BuiltImageArgs(
            context=handler.build.context,
            dockerfile=handler.build.dockerfile,
            architecture=handler.architecture,
        ),
    )
    return built.container_image
