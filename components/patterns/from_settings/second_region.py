"""SecondRegion: the stack's bus and whatever has a rule on it once more in another region, behind a global endpoint.

Everything in here is created by the provider of the second region, which children inherit from this component.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import manifest
from components.config import StackSettings
from components.config.base import PatternSettings
from components.core.base import Component
from components.patterns.from_settings import build, manifests
from components.routers.global_endpoint import GlobalEndpoint, GlobalEndpointArgs
from components.shared import Shared

__all__ = ["SecondRegion", "SecondRegionArgs", "has_rule"]


def has_rule(settings: PatternSettings) -> bool:
    """Whether a pattern takes events from the stack's bus. The others get their work in one region only."""
    return getattr(settings, "events", None) is not None


@dataclass(frozen=True, kw_only=True)
class SecondRegionArgs:
    """Arguments of `SecondRegion`.

    Attributes:
        settings: of the stack, with a `global_endpoint`.
        shared: of the first region.
        provider: arguments of the AWS provider as the first region's, but for the region: ``aws:…`` of the stack's
            configuration is not inherited.
    """

    settings: StackSettings
    shared: Shared
    provider: Mapping[str, Any]


class SecondRegion(Component):
    """Rules, queues, workers and what they stand on, in the second region; and the endpoint that chooses one.

    Attributes:
        shared, patterns: of the second region.
        endpoint: `GlobalEndpoint`.
    """

    def __init__(
        self,
        name: str,
        args: SecondRegionArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        settings = args.settings
        two = settings.global_endpoint
        assert two is not None
        second = aws.Provider(name, **{**args.provider, "region": two.secondary_region}, opts=opts)
        super().__init__(name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers={"aws": second})))
        on_the_bus = {name: spec for name, spec in settings.patterns.items() if has_rule(spec)}
        self.shared = Shared(
            "shared",
            settings.model_copy(
                update={
                    "network": two.network or settings.network,
                    "patterns": on_the_bus,
                    "brokers": {},
                    "kafka": {},
                }
            ),
            self.child(),
        )
        self.patterns = {name: build(name, spec, self.shared) for name, spec in on_the_bus.items()}
        manifest.write_parameters(pulumi.get_stack(), manifests(self.patterns), self.child())
        self.endpoint = GlobalEndpoint(
            "endpoint",
            GlobalEndpointArgs(
                primary=args.shared.bus,
                secondary=self.shared.bus,
                secondary_region=two.secondary_region,
                replication=two.replication,
                latency_milliseconds=two.latency_milliseconds,
                evaluation_minutes=two.evaluation_minutes,
                quiet_is_unhealthy=two.quiet_is_unhealthy,
            ),
            pulumi.ResourceOptions(parent=args.shared),
        )
        self.publish({"endpoint_id": self.endpoint.endpoint_id})
