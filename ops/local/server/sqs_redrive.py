"""Gap: the dead-letter queue redrive API of SQS, and the checks of redrive policies.

ListDeadLetterSourceQueues, StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask; and at CreateQueue and
SetQueueAttributes: a dead-letter queue is of the same type as its source, and its RedriveAllowPolicy is obeyed.

A move task runs on the server's event loop, like every SQS handler: what it does between two awaits is atomic.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import sqs

from ops.local.server.move_tasks import FailureReason, MoveStatus, MoveTask
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    "services.sqs._HANDLERS",
    "services.sqs._queues",
    "services.sqs._queue_by_arn",
    "services.sqs._queue_url",
    "services.sqs._get_q",
    "services.sqs._Err",
    "services.sqs.new_uuid",
    "services.sqs.esm_wake",
)

logger = logging.getLogger("ops.local.server.sqs")

_MAX_RATE = 500
_MAX_RESULTS = 10
_KEPT_TASKS = 10
_PAUSE_SECONDS = 0.02

Queue = dict[str, Any]

_tasks = AccountRegionScopedDict()  # source ARN -> [MoveTask, newest first]
_running: set[asyncio.Task[None]] = set()


def _sources(queue_arn: str) -> list[Queue]:
    """The queues of the current scope whose RedrivePolicy names this queue."""
    return [queue for queue in sqs._queues.values() if _redrive_target(queue["attributes"]) == queue_arn]


def _redrive_target(attributes: dict[str, Any]) -> str | None:
    try:
        policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    except ValueError:
        return None
    return policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None


def _list_sources(data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = sqs._get_q(data.get("QueueUrl", url), "sqs:ListDeadLetterSourceQueues")
    urls = sorted(source["url"] for source in _sources(queue["attributes"]["QueueArn"]))
    limit = data.get("MaxResults")
    if limit is None:
        return {"queueUrls": urls[:1000]}
    start = int(data.get("NextToken") or 0)
    end = start + int(limit)
    page: dict[str, Any] = {"queueUrls": urls[start:end]}
    return page | {"NextToken": str(end)} if end < len(urls) else page


def _start(data: dict[str, Any], _url: str) -> dict[str, Any]:
    source_arn: str = data.get("SourceArn") or ""
    source = sqs._queue_by_arn(source_arn)
    if source is None:
        raise _not_found("The resource that you specified for the SourceArn parameter doesn't exist.")
    if not _sources(source_arn):
        raise _invalid("Source queue must be configured as a Dead Letter Queue.")
    rate = data.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= _MAX_RATE:
        raise _invalid(f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: 1 to {_MAX_RATE}.")
    destination_arn = data.get("DestinationArn")
    if destination_arn:
        destination = sqs._queue_by_arn(destination_arn)
        if destination is None:
            raise _not_found("The resource that you specified for the DestinationArn parameter doesn't exist.")
        if destination["is_fifo"] != source["is_fifo"]:
            raise _invalid("The source and destination queues must be of the same type.")
        if destination_arn == source_arn:
            raise _invalid("Source queue and destination queue cannot be the same.")
    tasks: list[MoveTask] = _tasks.setdefault(source_arn, [])
    if any(task.active for task in tasks):
        raise _invalid(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
        )
    task = MoveTask(source_arn, len(_visible(source)), destination_arn, None if rate is None else int(rate))
    tasks.insert(0, task)
    del tasks[_KEPT_TASKS:]
    job = asyncio.get_running_loop().create_task(_move(task))
    _running.add(job)
    job.add_done_callback(_running.discard)
    return {"TaskHandle": task.handle}


def _list(data: dict[str, Any], _url: str) -> dict[str, Any]:
    source_arn: str = data.get("SourceArn") or ""
    if sqs._queue_by_arn(source_arn) is None:
        raise _not_found("The resource that you specified for the SourceArn parameter doesn't exist.")
    limit = int(data.get("MaxResults") or 1)
    if not 1 <= limit <= _MAX_RESULTS:
        raise _invalid(f"Value {limit} for parameter MaxResults is invalid. Reason: 1 to {_MAX_RESULTS}.")
    tasks: list[MoveTask] = _tasks.get(source_arn, [])
    return {"Results": [task.document() for task in tasks[:limit]]}


def _cancel(data: dict[str, Any], _url: str) -> dict[str, Any]:
    for tasks in _tasks.values():
        for task in tasks:
            if task.handle == data.get("TaskHandle"):
                if task.status is not MoveStatus.RUNNING:
                    raise _unsupported(f"The task is {task.status}; only a running task can be cancelled.")
                task.status = MoveStatus.CANCELLING
                return {"ApproximateNumberOfMessagesMoved": task.moved}
    raise _not_found("The task handle does not exist.")


async def _move(task: MoveTask) -> None:
    """Move the messages that are visible, until none is left that can be moved."""
    scope = current_scope()
    stuck: set[str] = set()
    began = time.monotonic()
    try:
        while task.status is MoveStatus.RUNNING:
            source = sqs._queue_by_arn(task.source_arn)
            if source is None:
                task.status, task.failure_reason = MoveStatus.FAILED, FailureReason.NO_QUEUE
                return
            candidates = [message for message in _visible(source) if message["id"] not in stuck]
            if not candidates:
                task.status = MoveStatus.FAILED if stuck else MoveStatus.COMPLETED
                return
            allowed = task.allowance(time.monotonic() - began) - task.moved
            gone: set[str] = set()
            for message in candidates[: max(0, allowed)]:
                if _copy_to_destination(task, message):
                    gone.add(message["id"])
                else:
                    stuck.add(message["id"])
                    task.failure_reason = FailureReason.NO_SOURCE
            source["messages"] = [message for message in source["messages"] if message["id"] not in gone]
            task.moved += len(gone)
            await asyncio.sleep(_PAUSE_SECONDS if task.messages_per_second else 0)
        task.status = MoveStatus.CANCELLED
    except Exception:
        task.status = MoveStatus.FAILED
        logger.exception("move task for %s in %s failed", task.source_arn, scope)


def _copy_to_destination(task: MoveTask, message: dict[str, Any]) -> bool:
    """Put a message at its destination; False when nothing says where it came from. It stays, then."""
    destination_arn = task.destination_arn or message.get("sys", {}).get("DeadLetterQueueSourceArn")
    destination: Queue | None = sqs._queue_by_arn(destination_arn) if destination_arn else None
    if destination is None:
        return False
    now = time.time()
    kept = {name: value for name, value in message.get("sys", {}).items() if name != "DeadLetterQueueSourceArn"}
    # A redriven message is a new one: new id, new enqueue time (SQS developer guide, "Dead-letter queue redrive").
    moved = {
        **message,
        "id": sqs.new_uuid(),
        "receipt_handle": None,
        "receive_count": 0,
        "first_receive_at": None,
        "sent_at": now,
        "enqueued_at": now,
        "visible_at": now,
        "sys": {**kept, "SentTimestamp": str(int(now * 1000))},
    }
    if destination["is_fifo"]:
        destination["fifo_seq"] = destination.get("fifo_seq", 0) + 1
        moved["seq"] = str(destination["fifo_seq"]).zfill(20)
    destination["messages"].append(moved)
    sqs.esm_wake.set()
    return True


def _visible(queue: Queue) -> list[dict[str, Any]]:
    now = time.time()
    return [message for message in queue["messages"] if message["visible_at"] <= now]


def _check_redrive(source_arn: str, source_is_fifo: bool, attributes: dict[str, Any]) -> None:
    """Raise what SQS raises for a RedrivePolicy whose dead-letter queue does not fit or does not want it."""
    target_arn = _redrive_target(attributes)
    target: Queue | None = sqs._queue_by_arn(target_arn) if target_arn else None
    if target is None:
        return
    if bool(target["is_fifo"]) != source_is_fifo:
        raise _invalid("Dead-letter queue must be same type of queue as the source.")
    allow = json.loads(target["attributes"].get("RedriveAllowPolicy") or "{}")
    permission = allow.get("redrivePermission", "allowAll")
    named = permission == "byQueue" and source_arn in allow.get("sourceQueueArns", [])
    if permission != "allowAll" and not named:
        raise _invalid(
            f"Value {attributes['RedrivePolicy']} for parameter RedrivePolicy is invalid. Reason: The "
            f"RedriveAllowPolicy of {target_arn} ({permission}) does not allow {source_arn} to use it."
        )


def _create_queue_checked(create: Any) -> Any:
    def checked(data: dict[str, Any], url: str) -> dict[str, Any]:
        scope = current_scope()
        name = str(data.get("QueueName") or "")
        arn = f"arn:aws:sqs:{scope.region}:{scope.account_id}:{name}"
        _check_redrive(arn, name.endswith(".fifo"), data.get("Attributes") or {})
        result: dict[str, Any] = create(data, url)
        return result

    return checked


def _set_attributes_checked(set_attributes: Any) -> Any:
    def checked(data: dict[str, Any], url: str) -> dict[str, Any]:
        queue = sqs._get_q(data.get("QueueUrl", url), "sqs:SetQueueAttributes")
        _check_redrive(queue["attributes"]["QueueArn"], bool(queue["is_fifo"]), data.get("Attributes") or {})
        result: dict[str, Any] = set_attributes(data, url)
        return result

    return checked


def _invalid(message: str) -> Exception:
    error: Exception = sqs._Err("InvalidParameterValue", message)
    return error


def _not_found(message: str) -> Exception:
    error: Exception = sqs._Err("ResourceNotFoundException", message, 404)
    return error


def _unsupported(message: str) -> Exception:
    error: Exception = sqs._Err("UnsupportedOperation", message)
    return error


def install(settings: ServerSettings) -> None:
    """Add the redrive actions."""
    sqs._HANDLERS.update(
        ListDeadLetterSourceQueues=_list_sources,
        StartMessageMoveTask=_start,
        ListMessageMoveTasks=_list,
        CancelMessageMoveTask=_cancel,
        CreateQueue=_create_queue_checked(sqs._HANDLERS["CreateQueue"]),
        SetQueueAttributes=_set_attributes_checked(sqs._HANDLERS["SetQueueAttributes"]),
    )
