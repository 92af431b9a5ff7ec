"""Gap: what an HTTP API hands requests to, beside Lambda and plain URLs.

MiniStack takes every ``AWS_PROXY`` integration for a Lambda function and every ``HTTP_PROXY`` for a URL. Here
``SQS-SendMessage`` and ``EventBridge-PutEvents`` call these services in the name of the integration's role, the status
is mapped as ``responseParameters`` say, and a Cloud Map service is one of the running tasks that ECS keeps in it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ministack.services import apigateway, ecs

from ops.local.server.scopes import Scope, current_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.task_credentials import SESSION_SECONDS, role_problem, role_session

__all__ = ["SEAMS", "install", "resolve"]

SEAMS = (
    "services.apigateway._create_integration",
    "services.apigateway._integrations",
    "services.apigateway._invoke_http_proxy",
    "services.apigateway._invoke_lambda_proxy",
    "services.ecs._services",
    "services.ecs._task_ip",
    "services.ecs._tasks",
)

_API_GATEWAY = "apigateway.amazonaws.com"
_KEPT = ("connectionId", "credentialsArn", "integrationSubtype", "tlsConfig")
"""Members of CreateIntegration that MiniStack drops."""
_CONNECT_SECONDS = 2.0

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class _Request:
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    path: Mapping[str, str]
    body: bytes


def resolve(expression: str, request: _Request) -> str | None:
    """The value of a request parameter: static text, or ``$request.…``; None when the request has no such part.

    Source: API Gateway developer guide, "Create AWS service integrations for HTTP APIs", "Mapping request parameters".
    """
    if not expression.startswith("$"):
        return expression
    if expression == "$request.body":
        return request.body.decode()
    match = re.fullmatch(r"\$request\.(header|querystring|path|body)\.(.+)", expression)
    if match is None:
        raise ValueError(f"the embedded AWS does not know the parameter {expression!r}")
    place, name = match.groups()
    if place == "header":
        return request.headers.get(name.lower())
    if place == "querystring":
        found = request.query.get(name)
        return ",".join(found) if isinstance(found, list) else found
    if place == "path":
        return request.path.get(name)
    return _from_body(request.body, name)


def _from_body(body: bytes, path: str) -> str | None:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return None
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found if isinstance(found, str) else json.dumps(found)


class _Services:
    """Calls AWS services as an integration does."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, Scope], tuple[Any, float]] = {}

    def call(self, integration: Mapping[str, Any], request: _Request, scope: Scope) -> Answer:
        """Hand the request to the service; the answer before its status is mapped."""
        subtype = integration["integrationSubtype"]
        operation = _OPERATIONS.get(subtype)
        if operation is None:
            return _problem(500, f"the embedded AWS does not know the integration {subtype}")
        role_arn = str(integration.get("credentialsArn") or "")
        problem = role_problem(role_arn, _API_GATEWAY) if role_arn else "the integration has no credentialsArn"
        if problem:
            return _problem(500, problem)
        try:
            parameters = {
                name: value
                for name, expression in (integration.get("requestParameters") or {}).items()
                if (value := resolve(str(expression), request)) is not None
            }
            return operation(lambda service: self._client(service, role_arn, scope), parameters)
        except ClientError as error:
            status = error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
            return _problem(status, error.response["Error"].get("Message", ""))
        except KeyError as error:
            return _problem(400, f"the request has no value for the required parameter {error}")
        except (BotoCoreError, UnicodeDecodeError, ValueError) as error:
            return _problem(400, str(error))

    def _client(self, service: str, role_arn: str, scope: Scope) -> Any:
        """With enforcement the role's own credentials, so that its policy decides."""
        with self._lock:
            key = (service, role_arn, scope)
            client, until = self._clients.get(key, (None, 0.0))
            if time.monotonic() > until:
                client = self._new_client(service, role_arn, scope)
                self._clients[key] = client, time.monotonic() + SESSION_SECONDS / 2
            return client

    def _new_client(self, service: str, role_arn: str, scope: Scope) -> Any:
        keys = {"aws_access_key_id": scope.account_id, "aws_secret_access_key": "test"}
        if self._settings.auth:
            session = role_session(role_arn, "BackplaneAssumeRoleSession")
            keys = {
                "aws_access_key_id": session["AccessKeyId"],
                "aws_secret_access_key": session["SecretAccessKey"],
                "aws_session_token": session["Token"],
            }
        return boto3.session.Session().client(  # type: ignore[call-overload]  # the name is a variable
            service,
            region_name=scope.region,
            endpoint_url=self._settings.url,
            config=Config(retries={"total_max_attempts": 1}),
            **keys,
        )


def _send_message(client: Callable[[str], Any], parameters: Mapping[str, str]) -> Answer:
    """SQS answers API Gateway in XML."""
    sent = client("sqs").send_message(QueueUrl=parameters["QueueUrl"], MessageBody=parameters["MessageBody"])
    body = (
        '<?xml version="1.0"?><SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'
        f"<SendMessageResult><MessageId>{escape(sent['MessageId'])}</MessageId>"
        f"<MD5OfMessageBody>{escape(sent['MD5OfMessageBody'])}</MD5OfMessageBody></SendMessageResult>"
        f"<ResponseMetadata><RequestId>{escape(sent['ResponseMetadata']['RequestId'])}</RequestId></ResponseMetadata>"
        "</SendMessageResponse>"
    )
    return 200, {"Content-Type": "text/xml"}, body.encode()


def _put_events(client: Callable[[str], Any], parameters: Mapping[str, str]) -> Answer:
    entry = {name: parameters[name] for name in ("Source", "DetailType", "Detail")}
    if "EventBusName" in parameters:
        entry["EventBusName"] = parameters["EventBusName"]
    answer = client("events").put_events(Entries=[entry])
    document = {"FailedEntryCount": answer["FailedEntryCount"], "Entries": answer["Entries"]}
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()


_OPERATIONS: Mapping[str, Callable[[Callable[[str], Any], Mapping[str, str]], Answer]] = {
    "EventBridge-PutEvents": _put_events,
    "SQS-SendMessage": _send_message,
}


def _problem(status: int, message: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


def _mapped(answer: Answer, integration: Mapping[str, Any]) -> Answer:
    """The answer as ``responseParameters`` want it: only its status can change here."""
    status, headers, body = answer
    mappings = (integration.get("responseParameters") or {}).get(str(status)) or {}
    return int(mappings.get("overwrite:statuscode", status)), headers, body


def _tasks_in(registry_arn: str) -> list[tuple[str, int]]:
    """(address, port) of every running task that ECS keeps in this Cloud Map service."""
    found = []
    for service in list(ecs._services.values()):
        for registry in service.get("serviceRegistries") or []:
            if registry.get("registryArn") != registry_arn:
                continue
            port = int(registry.get("containerPort") or registry.get("port") or 80)
            group = f"service:{service['serviceName']}"
            found += [
                (address, port)
                for task in list(ecs._tasks.values())
                if task.get("group") == group
                and task.get("clusterArn") == service.get("clusterArn")
                and task.get("lastStatus") == "RUNNING"
                and (address := ecs._task_ip(task))
            ]
    return found


def _forward(
    address: tuple[str, int], timeout_seconds: float, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    connection = http.client.HTTPConnection(*address, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(timeout_seconds)
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        connection.request(method, path, body, kept)
        answer = connection.getresponse()
        content = {"Content-Type": answer.getheader("Content-Type") or "application/json"}
        for name in ("Retry-After", "Idempotency-Replayed", "Allow"):
            if value := answer.getheader(name):
                content[name] = value
        return answer.status, content, answer.read()
    except (OSError, http.client.HTTPException):
        return _problem(503, "Service Unavailable")
    finally:
        connection.close()


def install(settings: ServerSettings) -> None:
    """Serve these integrations."""
    services = _Services(settings)
    create, invoke_lambda, invoke_http = (
        apigateway._create_integration,
        apigateway._invoke_lambda_proxy,
        apigateway._invoke_http_proxy,
    )

    def create_integration(api_id: str, data: dict[str, Any]) -> Any:
        status, headers, body = create(api_id, data)
        if status == 201:
            integration = apigateway._integrations[api_id][json.loads(body)["integrationId"]]
            integration.update({name: data[name] for name in _KEPT if name in data})
            body = json.dumps(integration).encode()
        return status, headers, body

    async def invoke_service(
        integration: dict[str, Any],
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        route_key: str = "$default",
        path_params: dict[str, str] | None = None,
        **options: Any,
    ) -> Any:
        if not integration.get("integrationSubtype"):
            return await invoke_lambda(
                integration, api_id, stage, path, method, headers, body, query_params, route_key, path_params, **options
            )
        request = _Request(headers, query_params or {}, path_params or {}, body or b"")
        answer = await asyncio.to_thread(services.call, integration, request, current_scope())
        return _mapped(answer, integration)

    async def invoke_http_proxy(
        integration: dict[str, Any], path: str, method: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Any:
        uri = str(integration.get("integrationUri", ""))
        if ":servicediscovery:" not in uri:
            return await invoke_http(integration, path, method, headers, body, query)
        tasks = _tasks_in(uri)
        if not tasks:
            return _problem(503, "Service Unavailable")
        seconds = int(integration.get("timeoutInMillis") or 30_000) / 1000
        return await asyncio.to_thread(_forward, random.choice(tasks), seconds, method, path, headers, body or b"")

    apigateway._create_integration = create_integration
    apigateway._invoke_lambda_proxy = invoke_service
    apigateway._invoke_http_proxy = invoke_http_proxy
