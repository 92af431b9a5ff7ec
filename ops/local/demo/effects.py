"""Which events have been handled: what the worker wrote into its idempotency table, and what it logged."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection
from typing import Any

from ops.aws import Aws
from ops.local.home import Home

__all__ = ["completed_keys", "logged_outcomes", "outcomes", "record_id"]

_COMPLETED = "COMPLETED"  # Powertools' status of a record whose handler has returned
_BATCH = 100  # BatchGetItem's limit


def record_id(pattern: str, idempotency_key: str) -> str:
    """The table's ``id`` of an event: Powertools' ``<prefix>#<sha256 of the key as JSON>``."""
    return f"{pattern}#{hashlib.sha256(json.dumps(idempotency_key).encode()).hexdigest()}"


def completed_keys(aws: Aws, table: str, pattern: str, keys: Collection[str]) -> set[str]:
    """Those of `keys` whose handler has returned."""
    by_id = {record_id(pattern, key): key for key in keys}
    ids = list(by_id)
    found: set[str] = set()
    for start in range(0, len(ids), _BATCH):
        pending: dict[str, Any] = {
            table: {"Keys": [{"id": {"S": one}} for one in ids[start : start + _BATCH]], "ConsistentRead": True}
        }
        while pending:
            answer = aws.client("dynamodb").batch_get_item(RequestItems=pending)
            for item in answer["Responses"].get(table, []):
                if item["status"]["S"] == _COMPLETED:
                    found.add(by_id[item["id"]["S"]])
            pending = answer.get("UnprocessedKeys") or {}
    return found


def outcomes(home: Home, pattern: str, keys: Collection[str]) -> dict[str, Counter[str]]:
    """Key → outcome (``handled``, ``duplicate``, ``dead-lettered``, …) → how often the pattern's workers logged it."""
    counted = logged_outcomes(home, pattern)
    return {key: counted.get(key, Counter()) for key in keys}


def logged_outcomes(home: Home, pattern: str, family: str = "") -> dict[str, Counter[str]]:
    """`outcomes` of every key that is in the logs, of one family of tasks if it is given."""
    counted: dict[str, Counter[str]] = {}
    for path in home.logs.glob(f"{family}*.log"):
        for line in path.read_text(errors="replace").splitlines():
            if '"outcome"' not in line:
                continue
            record = _record(line)
            if record.get("pattern") == pattern and "idempotency_key" in record and "outcome" in record:
                counted.setdefault(record["idempotency_key"], Counter())[record["outcome"]] += 1
    return counted


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line[line.index("{") :])
    except ValueError:  # a line that is being written, or no JSON
        return {}
    return record if isinstance(record, dict) else {}
