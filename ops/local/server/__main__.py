"""`python -m ops.local.server --port 4566 --home .local`: the embedded AWS, in the foreground, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ops.local.server.settings import ServerSettings


def parse(arguments: list[str] | None = None) -> ServerSettings:
    """The settings that the command line asks for."""
    parser = argparse.ArgumentParser(prog="ops.local.server", description="The embedded AWS, until SIGTERM.")
    parser.add_argument("--port", type=int, default=4566, help="TCP port on 127.0.0.1 (default %(default)s)")
    parser.add_argument(
        "--home", type=Path, default=Path(".local"), help="where state and logs go (default %(default)s)"
    )
    parser.add_argument("--speedup", type=float, default=1.0, help="emulated seconds per real second (default 1)")
    parser.add_argument("--auth", action="store_true", help="enforce identity policies; tasks get their task role")
    options = parser.parse_args(arguments)
    try:
        return ServerSettings(
            home=options.home.resolve(), port=options.port, speedup=options.speedup, auth=options.auth
        )
    except ValueError as error:
        parser.error(str(error))


def configure_ministack(settings: ServerSettings) -> None:
    """Set the environment that MiniStack reads when it is imported: loopback only, one port, nothing shared."""
    os.environ.update(
        GATEWAY_PORT=str(settings.port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        AUTH="true" if settings.auth else "false",
        # A MQTT listener on port 8883 and an SFTP server on 2222 would be shared by two servers on one machine.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        # No Docker: tasks are processes of this layer, and MiniStack must not sweep somebody's containers.
        DOCKER_HOST="unix:///nonexistent/docker.sock",
        S3_DATA_DIR=str(settings.home / "s3"),
    )
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    # What is in the developer's environment must not become this server's root key (it reads both with --auth).
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)


def main() -> None:
    """Run the server."""
    settings = parse()
    settings.home.mkdir(parents=True, exist_ok=True)
    configure_ministack(settings)

    # MiniStack reads its environment at import time, and the layer imports MiniStack.
    from ops.local.server.layer import LayerError, install_layer
    from ops.local.server.process_tasks import stop_all_tasks
    from ops.local.server.serving import serve

    try:
        install_layer(settings)
    except LayerError as error:
        sys.exit(f"error: {error}")
    serve(settings, stop_all_tasks)


if __name__ == "__main__":
    main()
