"""Publishing: `ops` finds here what the program made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi
import pulumi_aws as aws

from components.compute.service import Service
from components.core.errors import ComponentError
from components.core.outputs import resolved
from components.stores.queue import DeadLetterQueue, Queue
from contracts.manifest import (
    PARAMETER_MAX_BYTES,
    DeadLetterQueueRef,
    Holds,
    PatternManifest,
    QueueRef,
    ServiceRef,
    parameter_name,
)

__all__ = ["dead_letter_queue_ref", "publish", "published", "queue_ref", "render", "service_ref", "write_parameters"]

R = TypeVar("R")


def published(kind: type[R], /, **values: pulumi.Input[Any]) -> pulumi.Output[R]:
    """An entry of a manifest, e.g. `BusRef`, once its values are known."""
    return resolved(values).apply(lambda known: kind(**known))


def queue_ref(queue: Queue) -> pulumi.Output[QueueRef]:
    return published(
        QueueRef,
        name=queue.queue_name,
        url=queue.url,
        arn=queue.arn,
        fifo=queue.fifo,
        visibility_timeout_seconds=queue.visibility_timeout_seconds,
    )


def dead_letter_queue_ref(
    queue: DeadLetterQueue, holds: Holds, origin_arn: pulumi.Input[str] | None = None
) -> pulumi.Output[DeadLetterQueueRef]:
    return published(
        DeadLetterQueueRef,
        name=queue.queue_name,
        url=queue.url,
        arn=queue.arn,
        holds=holds,
        fifo=queue.fifo,
        origin_arn=origin_arn,
    )


def service_ref(service: Service) -> pulumi.Output[ServiceRef]:
    return published(
        ServiceRef,
        cluster=service.cluster_name,
        name=service.service_name,
        log_group=service.task_definition.log_group_name,
    )


def render(manifest: PatternManifest, **values: pulumi.Input[Any]) -> pulumi.Output[str]:
    """The JSON text of `manifest` with the fields `values`, which are known only after the deploy, filled in."""

    def finish(known: Mapping[str, Any]) -> str:
        filled: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in known.items()
        }
        text = dataclasses.replace(manifest, **filled).to_json()
        if (size := len(text.encode())) > PARAMETER_MAX_BYTES:
            raise ComponentError(
                f"manifest of {manifest.name!r}: {size:,} bytes; an SSM parameter holds {PARAMETER_MAX_BYTES:,}. "
                "Split the pattern"
            )
        return text

    return resolved(values).apply(finish)


def publish(stack: str, manifests: Mapping[str, pulumi.Output[str]]) -> None:
    """Write each manifest to SSM, as `parameter_name` says, and all of them to the stack output ``patterns``."""
    write_parameters(stack, manifests)
    pulumi.export("patterns", {name: pulumi.Output.json_loads(text) for name, text in manifests.items()})


def write_parameters(
    stack: str, manifests: Mapping[str, pulumi.Output[str]], opts: pulumi.ResourceOptions | None = None
) -> None:
    """Write each manifest to SSM in the region of `opts`, where `ops --region` reads it."""
    for name, text in manifests.items():
        aws.ssm.Parameter(
            f"{name}-manifest",
            name=parameter_name(stack, name),
            type="String",
            value=text,
            description="Written by the program, read by ops",
            opts=opts,
        )
