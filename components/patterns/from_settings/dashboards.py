"""Settings of the dashboards → a `Dashboard` for the stack, or for each pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.config import StackSettings
from components.config.shared import DashboardPer
from components.observability.dashboard import Dashboard, DashboardArgs

__all__ = ["create_dashboards"]

_OF_THE_STACK = "overview"
_SECTIONS = 60
"""Patterns on one dashboard of the stack: with eight widgets each they stay below the 500 that CloudWatch allows."""


def create_dashboards(
    settings: StackSettings, patterns: Mapping[str, object], documents: Mapping[str, pulumi.Input[str]]
) -> list[Dashboard]:
    """None where they are switched off, or where there is nothing to show.

    Args:
        patterns: what was built, by name.
        documents: the manifests of all patterns and of the workers that they are made of.
    """
    if not settings.dashboard.enabled or not documents:
        return []
    groups = _of_the_stack(list(documents))
    if settings.dashboard.per is DashboardPer.PATTERN:
        groups = {name: [name, *getattr(pattern, "workers", {})] for name, pattern in patterns.items()}
    insights = settings.cluster.container_insights
    return [
        Dashboard(
            name,
            DashboardArgs(manifests={member: documents[member] for member in members}, container_insights=insights),
        )
        for name, members in groups.items()
    ]


def _of_the_stack(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """`overview`, and `overview-2` and so on where one cannot hold all patterns."""
    parts = [names[start : start + _SECTIONS] for start in range(0, len(names), _SECTIONS)]
    return {_OF_THE_STACK if number == 1 else f"{_OF_THE_STACK}-{number}": part for number, part in enumerate(parts, 1)}
