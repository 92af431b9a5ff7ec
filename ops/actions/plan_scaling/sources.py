"""Where the traffic comes from: a file, or what CloudWatch remembers of a queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import OpsError, UsageError, explain
from ops.scaling_model.traffic import Trace, TraceError, parse_trace

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

__all__ = ["MAX_DAYS", "trace_of_file", "trace_of_queue"]

MAX_DAYS = 15
"""CloudWatch keeps data points of one minute for 15 days (CloudWatch user guide, "Metrics retention")."""
_PUBLISHED_AFTER = timedelta(minutes=2)


def trace_of_file(path: Path) -> Trace:
    """The trace in a CSV file.

    Raises:
        UsageError: the file cannot be read, or is not a trace.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_trace(lines, str(path))
    except TraceError as error:
        raise UsageError(str(error), "a trace starts like this: `minute,messages`, `0,120`, `1,95`") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file in UTF-8", "a trace is CSV: `minute,messages`") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name a CSV file with --trace") from error


def trace_of_queue(cloudwatch: CloudWatchClient, queue: str, days: int, now: datetime | None = None) -> Trace:
    """The messages sent to a queue in each minute of the last days, until two minutes ago.

    Args:
        cloudwatch: a client in the queue's region.
        queue: its name.
        days: 1 to `MAX_DAYS`.
        now: with a time zone; default the time.

    Raises:
        OpsError: AWS refused, or CloudWatch knows of no message.
    """
    end = ((now or datetime.now(UTC)) - _PUBLISHED_AFTER).replace(second=0, microsecond=0)
    start = end - timedelta(days=days)
    counts = [0] * (days * 24 * 60)
    try:
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                {
                    "Id": "sent",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/SQS",
                            "MetricName": "NumberOfMessagesSent",
                            "Dimensions": [{"Name": "QueueName", "Value": queue}],
                        },
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    minute = int((at - start).total_seconds() // 60)
                    if 0 <= minute < len(counts):
                        counts[minute] += round(value)
    except Exception as error:
        raise explain(error, f"reading the traffic of queue {queue}") from error
    if not any(counts):
        raise OpsError(
            f"CloudWatch knows of no message sent to a queue {queue!r} in the last {days} days",
            "check the queue's name (not its URL), --region and --profile, or look further back with --days",
        )
    first = next(minute for minute, count in enumerate(counts) if count)
    return Trace(f"{queue}, last {days} d", tuple(counts[first:]))
