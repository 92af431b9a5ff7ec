"""Gap: load balancers of every account and region answer, and send to tasks that pass their health check.

MiniStack looks a load balancer up in the account and region of the request; a caller's request is of no account and of
MiniStack's own region. And it sends to every registered task, also to one that does not listen yet.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from ministack.services import alb

from ops.local.server.scopes import Scope, in_scope, records
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "HealthChecks", "install"]

SEAMS = (
    "services.alb._find_lb_by_name",
    "services.alb._forward_to_tg",
    "services.alb._lbs",
    "services.alb._proxy_http_target",
    "services.alb._targets",
    "services.alb._tgs",
    "services.alb.dispatch_request",
    "services.alb.find_lb_for_host",
)

_CHECK_SECONDS = 1.0
_UNHEALTHY_FOR_SECONDS = 0.2
"""A task that does not answer is looked at again so soon, so that nobody waits for it once it does."""

Target = dict[str, Any]


class HealthChecks:
    """Checks targets when a request needs one; a good answer counts for the target group's interval. Thread-safe."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, int], tuple[bool, float]] = {}

    def healthy(self, group: dict[str, Any], targets: Sequence[Target]) -> list[Target]:
        """Those of `targets` that pass."""
        return [target for target in targets if self._passes(group, target)]

    def _passes(self, group: dict[str, Any], target: Target) -> bool:
        port = int(target.get("Port") or group.get("Port") or 80)
        key = (str(group["TargetGroupArn"]), str(target["Id"]), port)
        with self._lock:
            passed, until = self._seen.get(key, (False, 0.0))
        if time.monotonic() < until:
            return passed
        passed = _answers(str(target["Id"]), port, str(group.get("HealthCheckPath") or "/"))
        interval = self._settings.real_seconds(float(group.get("HealthCheckIntervalSeconds") or 30))
        lasts = interval if passed else min(interval, _UNHEALTHY_FOR_SECONDS)
        with self._lock:
            self._seen[key] = passed, time.monotonic() + lasts
        return passed


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_CHECK_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _found(attribute: str, value: str) -> dict[str, Any] | None:
    for _scope, _arn, balancer in records(alb._lbs):
        if str(balancer[attribute]).lower() == value.lower():
            found: dict[str, Any] = balancer
            return found
    return None


def _by_host(host: str) -> dict[str, Any] | None:
    name = host.split(":")[0]
    if name.lower().endswith(".alb.localhost"):
        return _found("LoadBalancerName", name[: -len(".alb.localhost")])
    return _found("DNSName", name)


def install(settings: ServerSettings) -> None:
    """Serve every load balancer in its own account and region."""
    checks = HealthChecks(settings)
    dispatch, forward = alb.dispatch_request, alb._forward_to_tg

    async def dispatch_in_scope(balancer: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        # arn:aws:elasticloadbalancing:<region>:<account>:loadbalancer/…
        _, _, _, region, account_id, _ = str(balancer["LoadBalancerArn"]).split(":", 5)
        with in_scope(Scope(account_id, region)):
            return await dispatch(balancer, *arguments, **options)

    async def forward_to_healthy(
        group_arn: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        raw_query_string: str | None = None,
        raw_path: str | None = None,
    ) -> Any:
        group, targets = alb._tgs.get(group_arn), list(alb._targets.get(group_arn, []))
        if not group or not targets or group.get("TargetType") != "ip":
            return await forward(group_arn, method, path, headers, body, query_params, raw_query_string, raw_path)
        # When no target is healthy, the load balancer sends to all of them, as on AWS.
        healthy = await asyncio.to_thread(checks.healthy, group, targets)
        target = random.choice(healthy or targets)
        return await alb._proxy_http_target(
            target, group, method, raw_path or path, headers, body, query_params, raw_query_string
        )

    alb.find_lb_for_host = _by_host
    alb._find_lb_by_name = lambda name: _found("LoadBalancerName", name)
    alb.dispatch_request = dispatch_in_scope
    alb._forward_to_tg = forward_to_healthy
