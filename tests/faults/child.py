"""One replay in a process of its own, to be killed. Forked from a server that has everything imported: 20 ms, not 600."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.loaders import create_loader

from ops.actions.queues import QueueDirectory
from ops.actions.replay.client_engine import replay_with_client
from ops.actions.replay.options import ReplayOptions, Source
from ops.actions.replay.selection import Selection
from ops.aws import Aws
from ops.errors import OpsError

__all__ = ["Job", "aws_of", "exit_code", "forked", "run"]

# The server that children are forked from imports this module: it parses SQS's model once for all of them.
_LOADER = create_loader()
_LOADER.load_service_model("sqs", "service-2")
_START = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A replay.

    Attributes:
        environment: with the endpoint and the credentials.
        dlq: URL of the dead-letter queue.
        to: URL of the destination; None: each message's own.
        journals: folder of the journals.
        lanes: batches in flight.
        where: a filter, or None.
        copy: copy instead of move.
        result: file for the report, a JSON object; it is not there when the process was killed.
        visibility_timeout_seconds: what a killed run holds for.
    """

    environment: Mapping[str, str]
    dlq: str
    to: str | None
    journals: Path
    lanes: int
    result: Path
    where: str | None = None
    copy: bool = False
    visibility_timeout_seconds: int = 2


class _Keyed(Aws):
    """Credentials of its own: many jobs share one process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(region=environment["AWS_DEFAULT_REGION"], endpoint_url=environment["AWS_ENDPOINT_URL"])
        self._environment = environment

    def _make_session(self) -> Any:
        if self._session is None:
            core = botocore.session.Session()
            core.register_component("data_loader", _LOADER)
            self._session = boto3.session.Session(
                aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
                region_name=self._environment["AWS_DEFAULT_REGION"],
                botocore_session=core,
            )
        return self._session


def aws_of(job: Job) -> Aws:
    """The clients of a job, for many runs of it."""
    return _Keyed(job.environment)


def run(job: Job, stop: threading.Event | None = None, aws: Aws | None = None) -> dict[str, Any]:
    """The report, as a mapping; with only an `error` when the run could not start."""
    aws = aws or aws_of(job)
    directory = QueueDirectory(aws)
    options = ReplayOptions(
        to=job.to,
        journal_directory=job.journals,
        concurrency=job.lanes,
        visibility_timeout_seconds=job.visibility_timeout_seconds,
        selection=Selection(where=job.where),
        copy=job.copy,
    )
    try:
        source = Source(directory.read(job.dlq))
        report = replay_with_client(aws, directory, source, options, stop or threading.Event(), lambda *_: None)
    except OpsError as error:
        return {"error": error.message}
    return dataclasses.asdict(report)


def _main(job: Job) -> None:
    text = json.dumps(run(job))
    job.result.write_text(text)
    os._exit(0)


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def forked(job: Job) -> ForkServerProcess:
    """Start the job in a process of its own; the caller waits for its `exit_code`."""
    with _START:
        process = _server().Process(target=_main, args=(job,), daemon=True)
        process.start()
    return process


def exit_code(process: ForkServerProcess, seconds: float) -> int | None:
    """Wait for the end of a process; None when it takes longer.

    Not `join`: another thread that starts a process reaps this one, and one of the two then reads 255.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with _START:
            if process.exitcode is not None:
                return process.exitcode
        time.sleep(0.01)
    return None
