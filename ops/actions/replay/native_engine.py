"""The native engine: SQS moves the messages itself (StartMessageMoveTask), and this shows its progress."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from ops.actions.queues import QueueDirectory, name_of
from ops.actions.replay.client_engine import Progress, new_run_id
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions, Source
from ops.actions.replay.tally import Tally
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["FASTEST_PER_SECOND", "active_task", "replay_natively"]

FASTEST_PER_SECOND = 500
"""The most that MaxNumberOfMessagesPerSecond takes (SQS API reference, StartMessageMoveTask)."""
_ENDED = ("COMPLETED", "CANCELLED", "FAILED")


def active_task(client: SQSClient, queue_arn: str) -> bool:
    """True when SQS is moving messages out of this queue already (it allows one task per queue)."""
    tasks = client.list_message_move_tasks(SourceArn=queue_arn, MaxResults=1)["Results"]
    return any(task.get("Status") in ("RUNNING", "CANCELLING") for task in tasks)


def replay_natively(
    directory: QueueDirectory,
    source: Source,
    options: ReplayOptions,
    stop: threading.Event,
    progress: Progress,
    poll_seconds: float = 0.5,
) -> QueueReport:
    """Start a move task, follow it to its end, cancel it when stopped (what it moved stays moved).

    Raises:
        OpsError: SQS refused to start it.
        UsageError: the rate is more than SQS can do.
    """
    if options.rate is not None and not 1 <= options.rate <= FASTEST_PER_SECOND:
        raise UsageError(
            f"--rate {options.rate:g}: SQS itself moves 1 to {FASTEST_PER_SECOND} messages a second",
            "pass a rate in that range, or --engine client",
        )
    client = directory.client(source.queue.url)
    queue = source.queue
    report = QueueReport(queue.name, new_run_id(), Engine.NATIVE, found=queue.visible, in_flight=queue.in_flight)
    begun = time.monotonic()
    request: dict[str, Any] = {"SourceArn": queue.arn}
    if options.to:
        request["DestinationArn"] = directory.read(options.to).arn
    if options.rate is not None:
        request["MaxNumberOfMessagesPerSecond"] = int(options.rate)
    try:
        handle = client.start_message_move_task(**request)["TaskHandle"]
    except Exception as error:
        explained = explain(error, f"SQS refused to move the messages of {queue.name}")
        raise OpsError(explained.message, "use --engine client, which has no such conditions") from error
    task = _follow(client, queue.arn, handle, report, stop, progress, begun, poll_seconds)
    report.moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
    # What SQS counted when the task began is the truth of this run.
    report.found = max(int(task.get("ApproximateNumberOfMessagesToMove") or report.found), report.moved)
    report.left = report.found - report.moved
    report.seconds = time.monotonic() - begun
    report.interrupted = stop.is_set()
    if task.get("Status") == "FAILED":
        report.error = (
            f"SQS stopped moving the messages of {queue.name}: {task.get('FailureReason', 'no reason given')}"
        )
    if options.to:
        report.destinations = {name_of(options.to): report.moved}
    report.complete = not (report.error or report.interrupted or report.left)
    return report


def _follow(
    client: SQSClient,
    queue_arn: str,
    handle: str,
    report: QueueReport,
    stop: threading.Event,
    progress: Progress,
    begun: float,
    poll_seconds: float,
) -> dict[str, Any]:
    """The task as it ended. A task that is CANCELLING is waited for, so that the numbers are final."""
    tally = Tally()
    cancelled = False
    last: dict[str, Any] = {}
    while True:
        if stop.is_set() and not cancelled:
            cancelled = True
            try:
                client.cancel_message_move_task(TaskHandle=handle)
            except client.exceptions.ClientError as error:
                # It may have ended between the last poll and now; anything else is told by the numbers.
                if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "InvalidParameterValue"):
                    raise
        tasks = client.list_message_move_tasks(SourceArn=queue_arn, MaxResults=10)["Results"]
        # Only a running task has a handle; this queue's newest task is ours, because SQS allows one at a time.
        task = next((task for task in tasks if task.get("TaskHandle") == handle), tasks[0] if tasks else None)
        if task:
            last = dict(task)
            tally.moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        progress(tally, report.found, time.monotonic() - begun)
        if last.get("Status") in _ENDED:
            return last
        if cancelled:
            time.sleep(poll_seconds)
        else:
            stop.wait(poll_seconds)
