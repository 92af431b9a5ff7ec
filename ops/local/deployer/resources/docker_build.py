"""Docker images without Docker: the process of the Dockerfile is registered, nothing is built or pushed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ops.local.deployer.dockerfile import read_dockerfile
from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = ["create_image"]


@creates(
    "docker-build:index:Image",
    "context",
    "dockerfile",
    "tags",
    # They say how an image is built and where it goes; here a container is a process of this machine.
    "addHosts",
    "buildArgs",
    "buildOnPreview",
    "builder",
    "cacheFrom",
    "cacheTo",
    "exec",
    "exports",
    "labels",
    "load",
    "network",
    "noCache",
    "platforms",
    "pull",
    "push",
    "registries",
    "target",
)
def create_image(request: Request) -> Created:
    context = Path(request["context"]["location"])
    location = request.get("dockerfile", {}).get("location")
    dockerfile = Path(location) if location else context / "Dockerfile"
    tags = request.get("tags", [])
    if not tags:
        raise LocalError("the property 'tags' is empty, so no task definition could name the image")
    process = read_dockerfile(dockerfile, context)
    digest = hashlib.sha256("\0".join([*tags, str(process)]).encode()).hexdigest()
    for tag in tags:
        request.context.images.register(_repository(tag), process)
    reference = f"{tags[0]}@sha256:{digest}"
    return Created(
        tags[0],
        {"ref": reference, "digest": f"sha256:{digest}", "contextHash": digest, "push": bool(request.get("push"))},
    )


def _repository(tag: str) -> str:
    """``host:5000/name:tag`` → ``host:5000/name``."""
    head, slash, last = tag.rpartition("/")
    return f"{head}{slash}{last.split(':', 1)[0]}"
