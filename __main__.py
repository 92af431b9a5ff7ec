"""The program: read the stack's settings, build its patterns, publish what `ops` needs."""

from __future__ import annotations

import gc

import pulumi

from components import config, manifest
from components.patterns import SecondRegion, SecondRegionArgs, build, create_dashboards, manifests
from components.shared import Shared

# What a program registers lives until it ends. To look for garbage in it, again and again, took half of its time.
gc.disable()

settings = config.load()
shared = Shared("shared", settings)
patterns = {name: build(name, spec, shared) for name, spec in settings.patterns.items()}
documents = manifests(patterns)

manifest.publish(pulumi.get_stack(), documents)
dashboards = create_dashboards(settings, patterns, documents)
if settings.global_endpoint:
    second = SecondRegion(
        "second-region", SecondRegionArgs(settings=settings, shared=shared, provider=config.aws_provider())
    )
    pulumi.export("global_endpoint", second.endpoint.endpoint_id)
pulumi.export("dashboards", [dashboard.dashboard_name for dashboard in dashboards])
pulumi.export("bus", shared.bus.bus_name)
pulumi.export("cluster", shared.cluster.cluster_name)
