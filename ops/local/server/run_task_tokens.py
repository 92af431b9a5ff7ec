"""Gap: RunTask is idempotent by its client token, and a standalone task belongs to the group of its family.

MiniStack starts a task for every call. On AWS a second call with the same token and parameters answers with the first
one's tasks, and with other parameters ConflictException, which names them; a call that started nothing is forgotten. A
token is forgotten after 24 hours, or an hour after its tasks have ended (ECS API reference, "Ensuring idempotency").
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.services import ecs

from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "Tokens", "install"]

SEAMS = (
    "services.ecs._run_task",
    "services.ecs._ACTION_MAP",
    "services.ecs._resolve_td_key",
    "services.ecs._sanitize",
    "services.ecs._tasks",
    "services.ecs.json_response",
)

_KEPT_SECONDS = 86_400.0


@dataclass
class _Call:
    parameters: str
    tasks: list[str]
    at: float


@dataclass
class Tokens:
    """Which tasks each token has started. One call of a token at a time."""

    clock: Callable[[], float] = time.monotonic
    _calls: dict[tuple[str, ...], _Call] = field(default_factory=dict)
    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, key: tuple[str, ...]) -> threading.Lock:
        """Held while a call with this token is under way."""
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def find(self, key: tuple[str, ...]) -> _Call | None:
        """The call that used the token first; None when there was none, or too long ago."""
        call = self._calls.get(key)
        return call if call is not None and self.clock() - call.at < _KEPT_SECONDS else None

    def keep(self, key: tuple[str, ...], parameters: str, tasks: list[str]) -> None:
        """Remember the tasks of a call."""
        self._calls[key] = _Call(parameters, tasks, self.clock())


def install(settings: ServerSettings) -> None:
    """Remember tokens, and give standalone tasks their group."""
    run_task = ecs._run_task
    tokens = Tokens()

    def run(data: dict[str, Any]) -> Any:
        family = str(ecs._resolve_td_key(data.get("taskDefinition", "")) or "").partition(":")[0]
        data = data if data.get("group") else {**data, "group": f"family:{family}"}
        token = data.get("clientToken")
        if not token:
            return run_task(data)
        cluster = str(data.get("cluster", "default")).rpartition("/")[2]
        key = (*current_scope(), cluster, str(token))
        # As written: the revision that a bare family stands for is not looked at.
        parameters = json.dumps(data, sort_keys=True)
        with tokens.lock(key):
            if (known := tokens.find(key)) is not None:
                return _again(known, parameters)
            answer = run_task(data)
            if answer[0] == 200 and (tasks := json.loads(answer[2])["tasks"]):
                tokens.keep(key, parameters, [task["taskArn"] for task in tasks])
            return answer

    ecs._run_task = run
    ecs._ACTION_MAP["RunTask"] = run


def _again(known: _Call, parameters: str) -> Any:
    if known.parameters != parameters:
        document = {
            "__type": "ConflictException",
            "message": "The provided clientToken is already in use with a different RunTask request.",
            "resourceIds": known.tasks,
        }
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return 400, headers, json.dumps(document).encode()
    return ecs.json_response(
        {"tasks": [ecs._sanitize(ecs._tasks[arn]) for arn in known.tasks if arn in ecs._tasks], "failures": []}
    )
