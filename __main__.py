"""The program: read the stack's settings, build its patterns, publish what `ops` needs."""

from __future__ import annotations

import pulumi

from components import config, manifest
from components.patterns import build, manifests
from components.shared import Shared

settings = config.load()
shared = Shared("shared", settings)
patterns = {name: build(name, spec, shared) for name, spec in settings.patterns.items()}

manifest.publish(pulumi.get_stack(), manifests(patterns))
pulumi.export("bus", shared.bus.bus_name)
pulumi.export("cluster", shared.cluster.cluster_name)
