"""Gap: EventBridge retries, dead-letter queues, queue policies, and the targets that MiniStack does not know.

MiniStack tries once and drops what fails. Here a retryable failure is tried again with exponential back-off and
jitter; a missing permission or resource goes straight to the target's dead-letter queue, as on AWS.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import eventbridge, lambda_svc, sqs

from ops.local.server import delivery_targets
from ops.local.server.background import log_once, start_thread
from ops.local.server.delivery import Delivery, DeliveryError, ErrorCode
from ops.local.server.delivery_targets import EVENTS, deliver, is_remote
from ops.local.server.event_loop import run_on_loop
from ops.local.server.queue_permissions import send_refusal
from ops.local.server.retry_policy import Exhausted, RetryPolicy
from ops.local.server.scopes import Scope, current_scope, in_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    *delivery_targets.SEAMS,
    "core.iam_evaluator.pin_request_origin",
    "services.eventbridge._invoke_target",
    "services.eventbridge._pattern_event_view",
    "services.lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS",
    "services.lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS",
)

logger = logging.getLogger("ops.local.server.eventbridge")

_HTTP_THREADS = 8
_OWN_ADDRESS = "127.0.0.1"
_ERROR_MESSAGE_CHARACTERS = 1024


class _Pipeline:
    """First attempts, the queue of retries, and the dead-letter queues."""

    def __init__(self, speedup: float) -> None:
        self._speedup = speedup
        self._pool = ThreadPoolExecutor(_HTTP_THREADS, thread_name_prefix="eventbridge-delivery")
        self._due: list[tuple[float, int, Scope, Delivery, int]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def invoke(self, target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        """Deliver an event to a target; returns at once, whatever becomes of it."""
        seen = view or eventbridge._pattern_event_view(event)
        delivery = Delivery(target, rule, event, seen, time.time())
        if is_remote(target):
            self._pool.submit(self._attempt, current_scope(), delivery, 0)
        else:
            self._attempt(current_scope(), delivery, 0)

    def _attempt(self, scope: Scope, delivery: Delivery, retries: int) -> None:
        # AWS's own requests are encrypted; in a thread of ours, MiniStack takes them for plain HTTP.
        pin_request_origin(_OWN_ADDRESS, True)
        with in_scope(scope):
            try:
                deliver(delivery)
            except DeliveryError as error:
                self._failed(scope, delivery, retries, error)
            except Exception as error:
                logger.exception("delivery to %s failed", delivery.target.get("Arn"))
                internal = DeliveryError(ErrorCode.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
                self._failed(scope, delivery, retries, internal)

    def _failed(self, scope: Scope, delivery: Delivery, retries: int, error: DeliveryError) -> None:
        if not error.retryable:
            self._dead_letter(delivery, retries, error, None)
            return
        policy = RetryPolicy.of_target(delivery.target, self._speedup)
        exhausted = policy.exhausted(retries, time.time() - delivery.born)
        if exhausted:
            self._dead_letter(delivery, retries, error, exhausted)
            return
        due_at = time.monotonic() + policy.delay_seconds(retries)
        with self._changed:
            heapq.heappush(self._due, (due_at, next(self._numbers), scope, delivery, retries + 1))
            if self._thread is None:
                self._thread = start_thread(self._retry, name="eventbridge-retries")
            self._changed.notify()

    def _retry(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _due_at, _number, scope, delivery, retries = heapq.heappop(self._due)
            with log_once("eventbridge retry"):
                self._pool.submit(self._attempt, scope, delivery, retries)

    def _dead_letter(self, delivery: Delivery, retries: int, error: DeliveryError, exhausted: Exhausted | None) -> None:
        target_arn: str = delivery.target.get("Arn", "")
        queue_arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue_arn:
            logger.warning("event for %s is lost (%s: %s); the target has no DLQ", target_arn, error.code, error)
            return
        queue = sqs._queue_by_arn(queue_arn)
        refusal = self._dead_letter_refusal(queue, queue_arn, delivery)
        if queue is None or refusal:
            logger.warning("event for %s is lost (%s): its DLQ takes nothing: %s", target_arn, error.code, refusal)
            return
        attributes = {
            **_origin(delivery),
            "TARGET_ARN": _text(target_arn),
            "ERROR_CODE": _text(str(error.code)),
            "ERROR_MESSAGE": _text(str(error)[:_ERROR_MESSAGE_CHARACTERS]),
            "RETRY_ATTEMPTS": {"DataType": "Number", "StringValue": str(retries)},
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = _text(str(exhausted))
        body = json.dumps(delivery.original()) if delivery.by_rule else str(delivery.target.get("Input") or "{}")
        message = {"MessageBody": body, "MessageAttributes": attributes}
        run_on_loop(lambda: sqs._act_send_message(message, queue["url"]))

    @staticmethod
    def _dead_letter_refusal(queue: dict[str, Any] | None, queue_arn: str, delivery: Delivery) -> str | None:
        """Why the dead-letter queue does not take the event; None when it does."""
        if queue is None:
            return f"the queue {queue_arn} does not exist"
        if queue["is_fifo"]:
            return f"{queue_arn} is FIFO; a dead-letter queue of EventBridge must be a standard queue"
        if not delivery.by_rule:
            return None
        account_id = current_scope().account_id
        return send_refusal(queue, service=EVENTS, source_arn=delivery.rule["Arn"], source_account=account_id)


def _origin(delivery: Delivery) -> dict[str, dict[str, str]]:
    """Who delivered: a rule by its ARN, a schedule with the run that failed (Scheduler user guide, "Configuring a …
    dead-letter queue")."""
    arn = str(delivery.rule.get("Arn", ""))
    if delivery.by_rule:
        return {"RULE_ARN": _text(arn)}
    at = datetime.fromtimestamp(float(delivery.event["Time"]), UTC)
    return {
        "SCHEDULE_ARN": _text(arn),
        "SCHEDULED_TIME": _text(at.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "EXECUTION_ID": _text(str(delivery.event["EventId"])),
        "IS_PAYLOAD_TRUNCATED": _text("false"),
    }


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value or "-"}


def install(settings: ServerSettings) -> None:
    """Deliver through the pipeline."""
    eventbridge._invoke_target = _Pipeline(settings.speedup).invoke
    # Lambda developer guide, "Error handling for asynchronous invocation": a minute, then two.
    lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = settings.real_seconds(60)
    lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = settings.real_seconds(300)
