"""How far behind this application is, as a CloudWatch metric in a log line (embedded metric format).

Kinesis's own GetRecords.IteratorAgeMilliseconds is one number for all applications that poll a stream, and it
tells what was read, not what was handled.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from contracts import metrics as names

__all__ = ["PUBLISH_SECONDS", "publish"]

PUBLISH_SECONDS = 60.0


def publish(
    stack: str, pattern: str, lags_seconds: Sequence[float], write: Callable[[str], object] = sys.stdout.write
) -> None:
    """Write one line: the lag of the slowest shard that this task holds, and how many it holds.

    A task without a shard knows nothing of the lag, and writes its count only.
    """
    metrics = EphemeralMetrics(namespace=names.NAMESPACE)
    metrics.add_dimension(name=names.STACK, value=stack)
    metrics.add_dimension(name=names.PATTERN, value=pattern)
    metrics.add_metric(name=names.SHARDS_HELD, unit=MetricUnit.Count, value=len(lags_seconds))
    if lags_seconds:
        lag_milliseconds = round(max(lags_seconds) * 1000)
        metrics.add_metric(name=names.LAG_MILLISECONDS, unit=MetricUnit.Milliseconds, value=lag_milliseconds)
    # One write, so that no other thread's log line gets in between.
    write(json.dumps(metrics.serialize_metric_set(), separators=(",", ":")) + "\n")
