"""Gap: RunTask is throttled, and launches fail: as much as a test asks for.

MiniStack starts whatever it is asked to. AWS allows an account 20 calls a second and, in a bad hour, has no capacity.
``PUT /_local/run-task-limits {"account": "…", "per_second": 10, "failure_share": 0.05}`` makes one account like that:
calls beyond the rate answer ThrottlingException, and of the others this share answers 200 with a failure and no task.
Services are not affected: their scheduler does not use the API. Without limits (the default) nothing changes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.services import ecs

from ops.local.server.local_routes import Answer, Request, routes
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "Limits", "install"]

SEAMS = ("services.ecs._run_task", "services.ecs._ACTION_MAP", "services.ecs.error_response_json")

_LIMITS: dict[str, Limits] = {}


@dataclass
class Limits:
    """The rate and the failures of one account's RunTask calls. Thread-safe.

    Failures are spread evenly, so that a test has exactly the share that it asked for: with 0.05 every 20th call.
    """

    per_second: float
    failure_share: float
    clock: Callable[[], float] = time.monotonic
    throttled: int = 0
    failed: int = 0
    admitted: int = 0
    _tokens: float = field(init=False)
    _last: float = field(init=False)
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = max(1.0, self.per_second)
        self._last = self.clock()

    def admit(self) -> bool | None:
        """True: start the task; False: answer a failure; None: throttle."""
        with self._lock:
            now = self.clock()
            self._tokens = min(max(1.0, self.per_second), self._tokens + (now - self._last) * self.per_second)
            self._last = now
            if self._tokens < 1:
                self.throttled += 1
                return None
            self._tokens -= 1
            self._due += self.failure_share
            if self._due >= 1:
                self._due -= 1
                self.failed += 1
                return False
            self.admitted += 1
            return True


def _configure(request: Request) -> Answer:
    if request.method == "GET":
        return Answer(
            {
                account: {"throttled": item.throttled, "failed": item.failed, "admitted": item.admitted}
                for account, item in _LIMITS.items()
            }
        )
    if request.method != "PUT":
        return Answer({"message": f"{request.method} is not supported; allowed: GET, PUT"}, 405)
    document = request.json()
    account, rate, share = document.get("account"), document.get("per_second"), document.get("failure_share", 0)
    if not isinstance(account, str) or not isinstance(rate, int | float) or not rate > 0 or not 0 <= share < 1:
        return Answer(
            {"message": 'allowed: {"account": "<12 digits>", "per_second": over 0, "failure_share": 0 to below 1}'}, 400
        )
    _LIMITS[account] = Limits(per_second=rate, failure_share=share)
    return Answer({"account": account})


def _is_a_services(data: dict[str, Any]) -> bool:
    return str(data.get("group") or "").startswith("service:")


def install(settings: ServerSettings) -> None:
    """Ask the account's limits before each RunTask."""
    run_task = ecs._run_task

    def run(data: dict[str, Any]) -> Any:
        limits = _LIMITS.get(current_scope().account_id)
        if limits is None or _is_a_services(data):
            return run_task(data)
        admitted = limits.admit()
        if admitted is None:
            return ecs.error_response_json("ThrottlingException", "Rate exceeded.", 400)
        if not admitted:
            return (
                200,
                {"Content-Type": "application/x-amz-json-1.1"},
                json.dumps(
                    {
                        "tasks": [],
                        "failures": [{"reason": "Capacity is unavailable at this time. Please try again later"}],
                    }
                ).encode(),
            )
        return run_task(data)

    ecs._run_task = run
    ecs._ACTION_MAP["RunTask"] = run
    routes.add("run-task-limits", _configure)
