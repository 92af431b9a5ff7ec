"""The lease table of a stream's application, as its workers write it (docs/adr/0006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["SHARD_END", "LeaseRow", "read_leases"]

SHARD_END = "SHARD_END"
"""Checkpoint of a shard that was read to its end."""


@dataclass(frozen=True, kw_only=True)
class LeaseRow:
    """One row.

    Attributes:
        owner: who works on the shard, ``task/uuid``; empty when nobody does.
        checkpoint: a sequence number, TRIM_HORIZON, ``AT_TIMESTAMP:<Unix milliseconds>`` or SHARD_END.
        crashes: owners in a row that vanished without progress.
        wanted_by: another worker that waits for the shard; empty when none does.
    """

    owner: str
    checkpoint: str
    crashes: int = 0
    wanted_by: str = ""


def read_leases(aws: Aws, table: str) -> dict[str, LeaseRow]:
    """Every lease by shard. Reads the table only; nobody's lease changes."""
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    rows: list[dict[str, Any]] = [row for page in pages for row in page["Items"]]
    return {
        row["shard_id"]["S"]: LeaseRow(
            owner=row["owner"]["S"],
            checkpoint=row["checkpoint"]["S"],
            crashes=int(row.get("crashes", {}).get("N", "0")),
            wanted_by=row.get("wanted_by", {}).get("S", ""),
        )
        for row in sorted(rows, key=lambda row: row["shard_id"]["S"])
        if "owner" in row  # the row that remembers where the application began is no lease
    }
