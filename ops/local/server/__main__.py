"""`python -m ops.local.server --port 4566 --home .local`: the embedded AWS, in the foreground, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="ops.local.server")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--home", type=Path, default=Path(".local"))
    args = parser.parse_args()
    os.environ.update(GATEWAY_PORT=str(args.port), BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1")
    from ministack.app import main as serve

    sys.argv[1:] = []  # ministack parses the command line too
    serve()


if __name__ == "__main__":
    main()
