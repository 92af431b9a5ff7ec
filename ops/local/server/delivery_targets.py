"""Handing one event to one target: what each kind of target does with it."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
from collections.abc import Callable
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge, sqs

from ops.local.server.delivery import Delivery, DeliveryError, ErrorCode, follow_path
from ops.local.server.event_loop import run_on_loop
from ops.local.server.function_permissions import invoke_refusal
from ops.local.server.queue_permissions import send_refusal
from ops.local.server.scopes import current_scope

__all__ = ["EVENTS", "SEAMS", "deliver", "is_remote"]

SEAMS = (
    "services.eventbridge._apply_input_transformer",
    "services.eventbridge._api_destinations",
    "services.eventbridge._api_destination_send_sync",
    "services.eventbridge._build_api_destination_request",
    "services.eventbridge._connection_auth_headers",
    "services.eventbridge._connections",
    "services.eventbridge._dispatch_to_event_bus",
    "services.eventbridge._event_buses",
    "services.eventbridge._resolve_http_parameters",
    "services.lambda_svc._get_func_record_for_ref",
    "services.lambda_svc.invoke_async_with_retry",
    "services.sqs._act_send_message",
    "services.sqs._Err",
    "services.sqs._queue_by_arn",
)

EVENTS = "events.amazonaws.com"
_RETRIED_HTTP_STATUSES = frozenset({401, 407, 409, 429})


def is_remote(target: dict[str, Any]) -> bool:
    """Whether the delivery is an HTTP call, which must not block the event loop."""
    return ":api-destination/" in str(target.get("Arn", ""))


def deliver(delivery: Delivery) -> None:
    """Hand the event over, in the current scope. Raises `DeliveryError`."""
    try:
        arn = parse_arn(delivery.target.get("Arn", ""))
    except ArnParseError as error:
        raise DeliveryError(ErrorCode.INVALID_PARAMETER, str(error)) from error
    kind = f"events/{arn.resource.split('/', 1)[0]}" if arn.service == "events" else arn.service
    handler = _HANDLERS.get(kind)
    if handler is None:
        raise DeliveryError(ErrorCode.INTERNAL_ERROR, f"the embedded AWS delivers nothing to {kind} ({arn})")
    if kind not in ("events/event-bus", "sqs") and (arn.account_id, arn.region) != tuple(current_scope()):
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"{arn} is in another account or region")
    handler(delivery, arn)


def _to_sqs(delivery: Delivery, arn: Any) -> None:
    queue = sqs._queue_by_arn(str(arn))
    if queue is None or arn.region != current_scope().region:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the queue {arn} does not exist in this region")
    if delivery.by_rule:
        scope = current_scope()
        refusal = send_refusal(queue, service=EVENTS, source_arn=delivery.rule["Arn"], source_account=scope.account_id)
        if refusal:
            raise DeliveryError(ErrorCode.NO_PERMISSIONS, refusal)
    message = {"MessageBody": delivery.payload()}
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    if queue["is_fifo"]:
        if not group:
            raise DeliveryError(ErrorCode.INVALID_PARAMETER, f"{arn} is FIFO and the target has no MessageGroupId")
        message["MessageGroupId"] = group
    try:
        run_on_loop(lambda: sqs._act_send_message(message, queue["url"]))
    except sqs._Err as error:
        raise DeliveryError(ErrorCode.INVALID_PARAMETER, f"{error.code}: {error.message}") from error


def _to_sns(delivery: Delivery, arn: Any) -> None:
    from ministack.services import sns

    try:
        published = run_on_loop(lambda: sns.publish_internal(str(arn), delivery.payload(), "EventBridge Notification"))
    except sns.SnsPublishError as error:
        raise DeliveryError(ErrorCode.INVALID_PARAMETER, f"{error.code}: {error}") from error
    if published is None:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the topic {arn} does not exist")


def _to_lambda(delivery: Delivery, arn: Any) -> None:
    from ministack.services import lambda_svc

    function, configuration, _name = lambda_svc._get_func_record_for_ref(str(arn))
    if not function or not configuration:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the function {arn} does not exist")
    if delivery.by_rule and (refusal := invoke_refusal(function, service=EVENTS, source_arn=delivery.rule["Arn"])):
        raise DeliveryError(ErrorCode.NO_PERMISSIONS, refusal)
    # Delivered when Lambda has it; what the function makes of it is Lambda's affair: two more tries, then its own DLQ.
    lambda_svc.invoke_async_with_retry(function, json.loads(delivery.payload()))


def _to_states(delivery: Delivery, arn: Any) -> None:
    from ministack.services import stepfunctions

    status, _headers, body = stepfunctions._start_execution({"stateMachineArn": str(arn), "input": delivery.payload()})
    if status >= 400:
        raise DeliveryError(ErrorCode.NO_RESOURCE, _text(body))


def _to_event_bus(delivery: Delivery, arn: Any) -> None:
    if arn.resource.split("/", 1)[1] not in eventbridge._event_buses:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the event bus {arn} does not exist")
    path = set(delivery.event.get("_DispatchPath") or [])
    eventbridge._dispatch_to_event_bus(arn, delivery.event, delivery.rule, path, delivery.input())


def _to_ecs(delivery: Delivery, arn: Any) -> None:
    from ministack.services import ecs

    parameters = _camel_case(delivery.target.get("EcsParameters") or {})
    if not delivery.target.get("RoleArn"):
        raise DeliveryError(ErrorCode.NO_PERMISSIONS, "an ECS target needs a RoleArn that may ecs:RunTask")
    cluster_name = arn.resource.split("/", 1)[1]
    if cluster_name not in ecs._clusters:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the cluster {arn} does not exist")
    request = {
        "cluster": cluster_name,
        "taskDefinition": parameters.pop("taskDefinitionArn", ""),
        "count": parameters.pop("taskCount", 1),
        "startedBy": f"events-rule/{delivery.rule.get('Name', '')}"[:128],
        **parameters,
    }
    given = delivery.input()
    if given is not None:
        try:
            request["overrides"] = json.loads(given)
        except ValueError as error:
            raise DeliveryError(ErrorCode.INVALID_JSON, f"the input is no TaskOverride document: {error}") from error
    status, _headers, body = ecs._run_task(request)
    if status >= 400 and "ThrottlingException" in _text(body):
        raise DeliveryError(ErrorCode.ERROR_FROM_TARGET, _text(body), retryable=True)
    if status >= 400:
        raise DeliveryError(ErrorCode.NO_RESOURCE, _text(body))
    failures = json.loads(body).get("failures")
    if failures:
        raise DeliveryError(ErrorCode.ERROR_FROM_TARGET, f"RunTask: {failures[0].get('reason')}", retryable=True)


def _to_kinesis(delivery: Delivery, arn: Any) -> None:
    from ministack.services import kinesis

    original = delivery.original()
    path = (delivery.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
    key = str(follow_path(original, path)) if path else original["id"]
    record = {
        "StreamName": arn.resource.split("/", 1)[1],
        "Data": base64.b64encode(delivery.payload().encode()).decode(),
        "PartitionKey": key,
    }
    status, _headers, body = run_on_loop(lambda: kinesis._put_record(record))
    if status >= 400:
        missing = b"ResourceNotFoundException" in body
        code = ErrorCode.NO_RESOURCE if missing else ErrorCode.ERROR_FROM_TARGET
        raise DeliveryError(code, _text(body), retryable=not missing)


def _to_logs(delivery: Delivery, arn: Any) -> None:
    from ministack.services import cloudwatch_logs as logs

    group = arn.resource.removeprefix("log-group:").removesuffix(":*")
    if group not in logs._log_groups:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the log group {group} does not exist")
    stream = {"logGroupName": group, "logStreamName": delivery.original()["id"]}
    line = {"timestamp": int(time.time() * 1000), "message": delivery.payload()}

    def put() -> None:
        logs._create_log_stream(stream)
        logs._put_log_events({**stream, "logEvents": [line]})

    run_on_loop(put)


def _to_api_destination(delivery: Delivery, arn: Any) -> None:
    name = arn.resource.split("/", 2)[1]
    destination = eventbridge._api_destinations.get(name)
    if not destination:
        raise DeliveryError(ErrorCode.NO_RESOURCE, f"the API destination {name} does not exist")
    connection_name = str(destination.get("ConnectionArn", "")).rsplit("/", 1)[-1]
    connection = eventbridge._connections.get(connection_name)
    if not connection or connection.get("ConnectionState") != "AUTHORIZED":
        raise DeliveryError(ErrorCode.NO_PERMISSIONS, f"the connection {connection_name} is not AUTHORIZED")
    parameters = eventbridge._resolve_http_parameters(delivery.target.get("HttpParameters") or {}, delivery.original())
    request = eventbridge._build_api_destination_request(destination, connection, parameters, delivery.payload())
    try:
        authorization = eventbridge._connection_auth_headers(connection, (*current_scope(), connection_name))
        status: int = eventbridge._api_destination_send_sync(request, authorization)
    except (urllib.error.URLError, OSError) as error:
        raise DeliveryError(ErrorCode.CONNECTION_FAILURE, f"{request['url']}: {error}", retryable=True) from error
    if status >= 300:
        again = status in _RETRIED_HTTP_STATUSES or status >= 500
        raise DeliveryError(ErrorCode.ERROR_FROM_TARGET, f"{request['url']} answered HTTP {status}", retryable=again)


_HANDLERS: dict[str, Callable[[Delivery, Any], None]] = {
    "ecs": _to_ecs,
    "events/api-destination": _to_api_destination,
    "events/event-bus": _to_event_bus,
    "kinesis": _to_kinesis,
    "lambda": _to_lambda,
    "logs": _to_logs,
    "sns": _to_sns,
    "sqs": _to_sqs,
    "states": _to_states,
}


def _camel_case(document: Any) -> Any:
    """EventBridge's EcsParameters in the spelling of RunTask."""
    if isinstance(document, dict):
        return {name[:1].lower() + name[1:]: _camel_case(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_camel_case(value) for value in document]
    return document


def _text(body: bytes | str) -> str:
    return body.decode() if isinstance(body, bytes) else body
