"""`python -m ops.local.deployer --stack local --port 4566 --home .local`: deploy the project in the current folder.

Progress goes to stderr. The deployment goes to stdout: one JSON object with ``outputs``, ``resources``, ``seconds`` and
``region``.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from ops.local.errors import LocalError

_PROGRESS_EVERY = 20  # resources
_WORKER_IMAGE = "eda-worker"
"""The project's own image: it is there without being built, as the settings of a local stack name it."""
_WORKER_DOCKERFILE = "worker/Dockerfile"


def main(arguments: list[str] | None = None) -> int:
    """Deploy; answer the exit code: 0, or 1 after one line on stderr that says why."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.deployer", description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        print(json.dumps(_deploy(root, options.stack, options.port, options.home)))  # noqa: T201  # the answer
    except LocalError as error:
        log = options.home / "deployer.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)))
        _say(f"{error}\n(details: {log})")
        return 1
    return 0


def _deploy(root: Path, stack: str, port: int, home: Path) -> dict[str, object]:
    from ops.local.deployer.dockerfile import read_dockerfile
    from ops.local.deployer.images import Images
    from ops.local.deployer.program import deploy, program_of  # after the arguments: importing Pulumi takes a while
    from ops.local.deployer.settings import read_settings

    settings = read_settings(root, stack)
    if (root / _WORKER_DOCKERFILE).is_file():
        Images(home / "images.json").register(_WORKER_IMAGE, read_dockerfile(root / _WORKER_DOCKERFILE, root))
    _say(f"deploying the stack {stack!r} to 127.0.0.1:{port} ...")
    deployment = deploy(
        program_of(root),
        project=settings.project,
        stack=stack,
        config=settings.config,
        region=settings.region,
        endpoint_url=f"http://127.0.0.1:{port}",
        home=home,
        on_created=lambda count: _say(f"{count} resources ...") if count % _PROGRESS_EVERY == 0 else None,
    )
    _say(f"{deployment.resource_count} resources in {deployment.seconds:.1f} s")
    return {**asdict(deployment), "region": settings.region}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # talk goes to stderr


if __name__ == "__main__":
    sys.exit(main())
