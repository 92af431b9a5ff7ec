"""The layer over MiniStack: which gap is filled by which module, and the check that the seams are there.

A gap is a module with `install(settings)` and, in `SEAMS`, the private names of MiniStack that it wraps or calls.
Private names belong to one version, so the version is checked too: a renamed function is one clear error at start,
not a behaviour that is silently missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from ops.local.server.settings import ServerSettings

__all__ = ["GAPS", "SUPPORTED_VERSION", "LayerError", "check_seams", "check_version", "install_layer"]

SUPPORTED_VERSION = "1.5.33"

GAPS = (
    "process_tasks",
    "task_lifecycle",
    "task_protection",
    "service_tasks",
    "capacity_providers",
    "run_task_limits",
    "run_task_tokens",
    "ecs_events",
    "eventbridge_delivery",
    "scheduler_context",
    "scheduler_times",
    "replay_rules",
    "sns_delivery",
    "put_events_checks",
    "connection_secrets",
    "batch_authorization",
    "ecs_authorization",
    "http_api_integrations",
    "load_balancers",
    "sqs_redrive",
    "sqs_batches",
    "kinesis_resharding",
    "consumer_authorization",
    "metrics",
    "msk_api",
    "kafka_lag",
    "states_metrics",
    "metric_data",
    "alarms",
    "autoscaling_api",
    "autoscaling_engine",
    "states_executions",
    "states_tokens",
    "states_ecs",
    "states_tasks",
    "states_authorization",
    "states_maps",
)
"""Modules of this package, in the order in which they are installed."""


class LayerError(RuntimeError):
    """The layer does not fit the MiniStack that is installed."""


def check_version(installed: str | None = None) -> None:
    """Raise `LayerError` unless exactly the supported MiniStack is installed."""
    try:
        found = installed if installed is not None else version("ministack")
    except PackageNotFoundError:
        found = "not installed"
    if found != SUPPORTED_VERSION:
        raise LayerError(
            f"ministack is {found}; the local environment needs exactly {SUPPORTED_VERSION}. "
            f"Fix: run `make install`, or pip install ministack=={SUPPORTED_VERSION}."
        )


def check_seams(names: Iterable[str], *, wanted_by: str) -> None:
    """Raise `LayerError` when one of the dotted names below ``ministack`` does not exist."""
    missing = []
    for name in names:
        module_name, _, attribute = name.rpartition(".")
        try:
            module = importlib.import_module(f"ministack.{module_name}" if module_name else "ministack")
        except ImportError:
            missing.append(name)
            continue
        if not hasattr(module, attribute):
            missing.append(name)
    if missing:
        raise LayerError(
            f"{wanted_by} wraps names that ministack does not have: {', '.join(missing)}. "
            f"Fix: install ministack=={SUPPORTED_VERSION}, or adapt the module to the new names."
        )


def install_layer(settings: ServerSettings) -> None:
    """Check the version and every seam, then fill all gaps. Call it once per process, before serving."""
    check_version()
    modules: list[ModuleType] = []
    for gap in GAPS:
        module = importlib.import_module(f"ops.local.server.{gap}")
        check_seams(module.SEAMS, wanted_by=module.__name__)
        modules.append(module)
    for module in modules:
        module.install(settings)
