"""`python -m bench.contenders.queue_workers N [FILE]`: this repository's program with N queue workers, under mocks.

Prints how many resources it registered. Writes those of AWS to FILE, for `plain_pulumi`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.program.support import run_program

__all__ = ["settings"]


def settings(workers: int) -> dict[str, Any]:
    """The configuration of a stack with that many queue workers, each with its own bus rule, queue and service."""
    pattern = {
        "pattern": "queue-worker",
        "events": {"source": ["pizza.service.com"], "detail-type": ["OrderCreated"]},
        "handler": {"image": "example.com/orders:1", "cpu": 256, "memory_mib": 512},
        "scaling": {
            "policy": "backlog-per-task",
            "acceptable_latency_seconds": 60,
            "processing_seconds": 2,
            "min": 0,
            "max": 20,
        },
    }
    return {
        "aws:region": "ap-southeast-2",
        "eda:network": {"nat": "none"},
        "eda:patterns": {f"orders-{number}": pattern for number in range(workers)},
    }


if __name__ == "__main__":
    recorder = run_program(settings(int(sys.argv[1])))
    sys.stdout.write(f"{len(recorder.resources)}\n")
    for file in sys.argv[2:]:
        of_aws = [(item.type, item.name, item.inputs) for item in recorder.resources if item.type.startswith("aws:")]
        Path(file).write_text(json.dumps(of_aws))
