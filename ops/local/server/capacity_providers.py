"""Gap: a capacity provider strategy spreads tasks over its providers, and Spot capacity can be taken back.

MiniStack puts all tasks on one provider. ``POST /_local/reclaim-spot {"task": "<ARN or id>"}`` is what EC2 does to a
Fargate Spot task: SIGTERM, stop code SpotInterruption.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import ecs

from ops.local.server.local_routes import Answer, Request, routes
from ops.local.server.scopes import in_scope, records
from ops.local.server.settings import ServerSettings
from ops.local.server.task_lifecycle import StopCode, stop_task

__all__ = ["SEAMS", "install", "next_provider"]

SEAMS = (
    "services.ecs._run_task",
    "services.ecs._ACTION_MAP",
    "services.ecs._clusters",
    "services.ecs._resolve_cluster_name",
    "services.ecs._tasks",
    "services.ecs._PRE_STOP_STATUSES",
)

Strategy = Sequence[Mapping[str, Any]]


def next_provider(strategy: Strategy, placed: Mapping[str, int]) -> str:
    """The provider of the next task, by base and weight.

    First the providers' bases are filled, in the order of the strategy; beyond them tasks go where the number of
    tasks in proportion to the weight is lowest (a tie goes to the larger weight). A provider with weight 0 gets
    nothing beyond its base.

    Parameters
    ----------
    strategy:
        Items with ``capacityProvider``, ``base`` (default 0) and ``weight`` (default 0).
    placed:
        How many tasks each provider has already.
    """
    for item in strategy:
        if placed.get(item["capacityProvider"], 0) < int(item.get("base", 0)):
            return str(item["capacityProvider"])
    weighted = [item for item in strategy if int(item.get("weight", 0)) > 0] or list(strategy)

    def load(item: Mapping[str, Any]) -> tuple[float, int]:
        beyond_base = placed.get(item["capacityProvider"], 0) - int(item.get("base", 0))
        weight = max(1, int(item.get("weight", 0)))
        return (beyond_base + 1) / weight, -weight

    return str(min(weighted, key=load)["capacityProvider"])


def _placed(data: dict[str, Any], cluster_name: str) -> Counter[str]:
    """The tasks that a service has on each provider; a standalone RunTask begins with none."""
    group: str = data.get("group") or ""
    if not group.startswith("service:"):
        return Counter()
    cluster_arn = ecs._clusters[cluster_name]["clusterArn"]
    return Counter(
        task.get("capacityProviderName") or ""
        for task in ecs._tasks.values()
        if task.get("group") == group
        and task.get("clusterArn") == cluster_arn
        and task.get("lastStatus") in ecs._PRE_STOP_STATUSES
    )


def _reclaim(request: Request) -> Answer:
    if request.method != "POST":
        return Answer({"message": f"{request.method} is not supported; allowed: POST"}, 405)
    wanted = str(request.json().get("task") or "")
    if not wanted:
        return Answer({"message": 'task is missing; allowed: {"task": "<task ARN or id>"}'}, 400)
    for scope, task_arn, task in records(ecs._tasks):
        if wanted not in (task_arn, task_arn.rsplit("/", 1)[-1]):
            continue
        provider = task.get("capacityProviderName")
        if provider != "FARGATE_SPOT":
            return Answer(
                {"message": f"{task_arn} runs on {provider or task.get('launchType')}, not on FARGATE_SPOT"}, 400
            )
        with in_scope(scope):
            begun = stop_task(task, reason="Your Spot Task was interrupted.", stop_code=StopCode.SPOT_INTERRUPTION)
        return Answer({"task": task_arn, "reclaimed": begun})
    return Answer({"message": f"there is no task {wanted}"}, 404)


def install(settings: ServerSettings) -> None:
    """Spread tasks by strategy."""
    run_task = ecs._run_task

    def run(data: dict[str, Any]) -> Any:
        cluster_name = ecs._resolve_cluster_name(data.get("cluster", "default"))
        cluster = ecs._clusters.get(cluster_name) or {}
        strategy: Strategy = data.get("capacityProviderStrategy") or (
            [] if data.get("launchType") else cluster.get("defaultCapacityProviderStrategy") or []
        )
        if len(strategy) < 2 or not cluster:
            return run_task(data)
        placed = _placed(data, cluster_name)
        chosen: Counter[str] = Counter()
        for _ in range(int(data.get("count", 1))):
            provider = next_provider(strategy, placed)
            placed[provider] += 1
            chosen[provider] += 1
        merged: dict[str, list[Any]] = {"tasks": [], "failures": []}
        for provider, count in chosen.items():
            only = [{"capacityProvider": provider, "weight": 1}]
            response = run_task({**data, "count": count, "launchType": None, "capacityProviderStrategy": only})
            if response[0] >= 400:
                return response
            document = json.loads(response[2])
            merged["tasks"] += document["tasks"]
            merged["failures"] += document["failures"]
        return ecs.json_response(merged)

    ecs._run_task = run
    ecs._ACTION_MAP["RunTask"] = run
    routes.add("reclaim-spot", _reclaim)
