"""Dashboard: what `ops status` shows, over time, in CloudWatch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.naming import stack_name
from components.core.place import place_of
from components.core.validation import Check, check
from components.observability.dashboard_body import dashboard_body
from contracts.manifest import PatternManifest

__all__ = ["Dashboard", "DashboardArgs"]


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """Arguments of `Dashboard`.

    Attributes:
        manifests: pattern → its manifest, as JSON text: a section each, in this order.
        container_insights: whether the cluster publishes the desired tasks; default False.
    """

    manifests: Mapping[str, pulumi.Input[str]]
    container_insights: bool = False


_RULES = (Check(("manifests",), lambda args: not args.manifests, "manifests is empty; there is nothing to show"),)


class Dashboard(Component):
    """One dashboard, named ``<project>-<stack>-<name>``: a dashboard's name is all it has, so the provider needs one.

    Attributes:
        dashboard_name: in CloudWatch.
        dashboard: the raw dashboard.
    """

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"Dashboard {name!r}", args, _RULES)
        place = place_of(self)
        known: pulumi.Output[dict[str, Any]] = pulumi.Output.all(
            texts=pulumi.Output.all(*args.manifests.values()),
            partition=place.partition,
            region=place.region,
            account=place.account_id,
        )
        self.dashboard = aws.cloudwatch.Dashboard(
            name,
            # Letters, digits, hyphens and underscores are allowed; names here may have dots, too.
            dashboard_name=stack_name(name).replace(".", "-"),
            dashboard_body=known.apply(lambda values: _text(values, args.container_insights)),
            opts=self.child(),
        )
        self.dashboard_name: pulumi.Output[str] = self.dashboard.dashboard_name
        self.publish({"dashboard_name": self.dashboard_name})


def _text(known: Mapping[str, Any], container_insights: bool) -> str:
    body = dashboard_body(
        [PatternManifest.from_json(text) for text in known["texts"]],
        alarm_prefix=f"arn:{known['partition']}:cloudwatch:{known['region']}:{known['account']}:alarm:",
        container_insights=container_insights,
    )
    return json.dumps(body, separators=(",", ":"))
