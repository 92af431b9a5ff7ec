"""Publishing: `ops` finds here what the program made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.core.errors import ComponentError
from contracts.manifest import PARAMETER_MAX_BYTES, PatternManifest, parameter_name

__all__ = ["publish", "render"]


def render(build: Callable[[Mapping[str, Any]], PatternManifest], **values: pulumi.Input[Any]) -> pulumi.Output[str]:
    """The manifest's JSON text, once all `values` are known; `build` gets them under the same names."""

    def finish(known: Mapping[str, Any]) -> str:
        manifest = build(known)
        text = manifest.to_json()
        if (size := len(text.encode())) > PARAMETER_MAX_BYTES:
            raise ComponentError(
                f"manifest of {manifest.name!r}: {size:,} bytes; an SSM parameter holds {PARAMETER_MAX_BYTES:,}. "
                "Split the pattern"
            )
        return text

    return pulumi.Output.all(**values).apply(finish)


def publish(stack: str, manifests: Mapping[str, pulumi.Output[str]]) -> None:
    """Write each manifest to SSM as ``/eda/<stack>/patterns/<name>`` and all of them to the stack output ``patterns``."""
    for name, text in manifests.items():
        aws.ssm.Parameter(
            f"{name}-manifest",
            name=parameter_name(stack, name),
            type="String",
            value=text,
            description="Written by the program, read by ops",
        )
    pulumi.export("patterns", {name: pulumi.Output.json_loads(text) for name, text in manifests.items()})
