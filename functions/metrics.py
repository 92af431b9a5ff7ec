"""Metrics as lines of the log (CloudWatch's embedded metric format): no call, no permission."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

from contracts import metrics as dimensions
from contracts.job_functions import METRICS_NAMESPACE

__all__ = ["put"]


def put(stack: str, pattern: str, values: Mapping[str, float]) -> None:
    """Write one line with these metrics; names that end in ``Seconds`` have that unit, the others count."""
    units = {name: "Seconds" if name.endswith("Seconds") else "Count" for name in values}
    document = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": METRICS_NAMESPACE,
                    "Dimensions": [[dimensions.STACK, dimensions.PATTERN]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
                }
            ],
        },
        dimensions.STACK: stack,
        dimensions.PATTERN: pattern,
        **values,
    }
    sys.stdout.write(json.dumps(document) + "\n")
