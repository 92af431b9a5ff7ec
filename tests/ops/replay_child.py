"""A replay in a process of its own, to be killed: dead-letter queue, destination (or nothing), journal folder, lanes."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from pathlib import Path

from ops.actions.queues import QueueDirectory
from ops.actions.replay.client_engine import replay_with_client
from ops.actions.replay.options import ReplayOptions, Source
from ops.aws import Aws


def main(dlq: str, to: str, journals: str, lanes: str) -> None:
    aws = Aws(region=os.environ["AWS_DEFAULT_REGION"])
    directory = QueueDirectory(aws)
    options = ReplayOptions(
        to=to or None,
        journal_directory=Path(journals),
        concurrency=int(lanes),
        visibility_timeout_seconds=2,
    )
    report = replay_with_client(
        aws, directory, Source(directory.read(dlq)), options, threading.Event(), lambda *_: None
    )
    sys.stdout.write(json.dumps(dataclasses.asdict(report)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
