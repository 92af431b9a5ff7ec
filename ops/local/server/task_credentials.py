"""AWS credentials of a task: the account's own, or (with identity policies enforced) those of its task role."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.services import iam, sts

from ops.local.server.layer import check_seams
from ops.local.server.local_routes import Answer, Request, routes
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["TaskCredentials", "role_problem", "role_session"]

_SEAMS = (
    "services.iam._roles",
    "services.iam._gen_session_access_key",
    "services.iam._gen_secret",
    "services.iam._gen_session_token",
    "services.sts.register_session",
    "services.sts._assumed_role_arn",
    "services.sts._role_id",
)

SESSION_SECONDS = 6 * 3600
"""How long a task's credentials last; on AWS between 1 and 6 hours."""
ECS_TASKS = "ecs-tasks.amazonaws.com"


@dataclass(frozen=True)
class _Grant:
    task_arn: str
    role_arn: str
    authorization_token: str


class TaskCredentials:
    """Gives tasks their credentials, and serves them at ``AWS_CONTAINER_CREDENTIALS_FULL_URI``."""

    def __init__(self, settings: ServerSettings) -> None:
        check_seams(_SEAMS, wanted_by=__name__)
        self._settings = settings
        self._grants: dict[str, _Grant] = {}
        self._lock = threading.Lock()
        routes.add("task-credentials", self._serve)

    def environment(self, task_arn: str, role_arn: str | None) -> dict[str, str]:
        """The variables through which a task of the current account finds its credentials.

        Without enforcement a 12-digit access key selects the account. With it, a task has what its role allows; a
        task without a role has no credentials at all, as on AWS. Raises `RuntimeError`, which fails the task, when
        ECS cannot assume the role.
        """
        if not self._settings.auth:
            return {"AWS_ACCESS_KEY_ID": current_scope().account_id, "AWS_SECRET_ACCESS_KEY": "test"}
        if not role_arn:
            return {}
        problem = role_problem(role_arn)
        if problem:
            raise RuntimeError(
                f"ECS was unable to assume the role '{role_arn}' that was provided for this task: {problem}"
            )
        grant_id = secrets.token_urlsafe(16)
        grant = _Grant(task_arn, role_arn, secrets.token_urlsafe(32))
        with self._lock:
            self._grants[grant_id] = grant
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._settings.url}/_local/task-credentials/{grant_id}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": grant.authorization_token,
        }

    def _serve(self, request: Request) -> Answer:
        grant = self._grants.get(request.path)
        if grant is None:
            return Answer({"code": "NoIdInRequest", "message": "no credentials under this address"}, 404)
        if request.headers.get("authorization") != grant.authorization_token:
            return Answer({"code": "AccessDenied", "message": "wrong or missing Authorization header"}, 403)
        problem = role_problem(grant.role_arn)
        if problem:
            return Answer({"code": "AccessDenied", "message": problem}, 403)
        return Answer(role_session(grant.role_arn, grant.task_arn.rsplit("/", 1)[-1]))


def role_problem(role_arn: str, service: str = ECS_TASKS) -> str | None:
    """Why `service` cannot assume the role: it does not exist, or its trust policy names other principals."""
    account_id, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role: dict[str, Any] | None = iam._roles.get_scoped(account_id, None, name)
    if role is None:
        return f"the role {role_arn} does not exist"
    document = role.get("AssumeRolePolicyDocument") or "{}"
    trust: dict[str, Any] = json.loads(document) if isinstance(document, str) else document
    statements = trust.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        named = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and service in named:
            return None
    return f"the trust policy of {role_arn} does not allow {service} to assume it"


def role_session(role_arn: str, session_name: str) -> dict[str, str]:
    """Temporary credentials of a role, in the form that the container credentials endpoint returns."""
    assumed_arn, refusal = sts._assumed_role_arn(role_arn, session_name)
    if refusal:
        raise ValueError(f"{role_arn!r} is no role ARN; allowed: arn:aws:iam::<account>:role/<name>")
    access_key = str(iam._gen_session_access_key())
    expiration = time.time() + SESSION_SECONDS
    session = {
        "Arn": assumed_arn,
        "UserId": f"{sts._role_id(role_arn)}:{session_name}",
        "SecretAccessKey": str(iam._gen_secret()),
        "SessionToken": str(iam._gen_session_token()),
        "Expiration": expiration,
        "AccountId": role_arn.split(":")[4],
        "PrincipalType": "AssumedRole",
    }
    sts.register_session(access_key, session)
    return {
        "RoleArn": role_arn,
        "AccessKeyId": access_key,
        "SecretAccessKey": session["SecretAccessKey"],
        "Token": session["SessionToken"],
        "Expiration": datetime.fromtimestamp(expiration, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
