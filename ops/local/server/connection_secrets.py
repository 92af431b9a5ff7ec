"""Gap: EventBridge keeps a connection's credentials in Secrets Manager, and shows none of them.

MiniStack answers DescribeConnection with everything it was given, and makes no secret. On AWS the answer has the
secret's ARN and only what is no secret; whoever may read the secret finds the rest there, in snake case.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from ministack.services import eventbridge, secretsmanager

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install", "secret_document", "shown"]

SEAMS = (
    "services.eventbridge._connections",
    "services.eventbridge._create_connection",
    "services.eventbridge._update_connection",
    "services.eventbridge._delete_connection",
    "services.eventbridge._describe_connection",
    "services.secretsmanager._create_secret",
    "services.secretsmanager._put_secret_value",
    "services.secretsmanager._delete_secret",
)

_SECRETS = frozenset({"ApiKeyValue", "Password", "ClientSecret"})
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_ARN = "SecretArn"


def secret_document(parameters: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge writes into the secret: all parameters, with the login's own at the top."""
    document: dict[str, Any] = _snake_case(parameters)
    login: dict[str, Any] = {}
    for name in ("api_key_auth_parameters", "basic_auth_parameters", "oauth_parameters"):
        login |= document.pop(name, {})
    return {**login.pop("client_parameters", {}), **login, **document}


def shown(value: Any) -> Any:
    """The parameters without what is secret."""
    if isinstance(value, list):
        return [shown(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {"Value"} if value.get("IsValueSecret") else _SECRETS
    return {name: shown(item) for name, item in value.items() if name not in hidden}


def _snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_WORD.sub("_", name.replace("ID", "Id")).lower(): _snake_case(item) for name, item in value.items()}


def _store(name: str) -> None:
    connection = eventbridge._connections[name]
    text = json.dumps(secret_document(connection.get("AuthParameters") or {}))
    if _SECRET_ARN in connection:
        secretsmanager._put_secret_value({"SecretId": connection[_SECRET_ARN], "SecretString": text})
        return
    secret = {"Name": f"events!connection/{name}/{uuid.uuid4()}", "SecretString": text}
    connection[_SECRET_ARN] = json.loads(secretsmanager._create_secret(secret)[2])["ARN"]


def install(settings: ServerSettings) -> None:
    """Keep a secret for each connection."""
    create, update = eventbridge._create_connection, eventbridge._update_connection
    delete, describe = eventbridge._delete_connection, eventbridge._describe_connection

    def created(data: dict[str, Any]) -> Any:
        answer = create(data)
        if answer[0] < 400:
            _store(data["Name"])
        return answer

    def updated(data: dict[str, Any]) -> Any:
        answer = update(data)
        if answer[0] < 400:
            _store(data["Name"])
        return answer

    def deleted(data: dict[str, Any]) -> Any:
        secret = (eventbridge._connections.get(data.get("Name")) or {}).get(_SECRET_ARN)
        answer = delete(data)
        if answer[0] < 400 and secret:
            secretsmanager._delete_secret({"SecretId": secret, "ForceDeleteWithoutRecovery": True})
        return answer

    def described(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        return (
            (status, headers, body)
            if status >= 400
            else (status, headers, json.dumps(shown(json.loads(body))).encode())
        )

    eventbridge._create_connection, eventbridge._update_connection = created, updated
    eventbridge._delete_connection, eventbridge._describe_connection = deleted, described
