"""The lease table in DynamoDB: every change is one conditional write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from worker.sources.stream.leases import FREE, Birth, Lease

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["LeaseTable"]

_BIRTH = "#birth"
"""Key of the row that is no lease; a shard's id starts with ``shardId-``."""
_CONDITION_FAILED = "ConditionalCheckFailedException"


class LeaseTable:
    """The table of one application. Thread-safe.

    Every method raises ClientError or BotoCoreError when the table cannot be asked.

    Args:
        client: with short timeouts; a renewal that hangs is worth nothing.
        name: of the table; its key is ``shard_id`` (S).
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def read(self) -> dict[str, Lease]:
        """Every lease, as of now."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        rows = (row for page in pages for row in page["Items"])
        leases = (_lease(row) for row in rows if row["shard_id"]["S"] != _BIRTH)
        return {lease.shard_id: lease for lease in sorted(leases, key=lambda lease: lease.shard_id)}

    def birth(self, mine: Birth) -> Birth:
        """The birth that all workers agree on: `mine`, if I am the first."""
        item: dict[str, Any] = {"shard_id": {"S": _BIRTH}, "milliseconds": {"N": str(mine.milliseconds)}}
        item |= {
            name: {"L": [{"S": shard} for shard in sorted(shards)]}
            for name, shards in (("open", mine.open), ("closed", mine.closed))
        }
        if self._put(item):
            return mine
        found: dict[str, Any] = self._client.get_item(
            TableName=self._name, Key={"shard_id": {"S": _BIRTH}}, ConsistentRead=True
        )["Item"]
        return Birth(
            milliseconds=int(found["milliseconds"]["N"]),
            open=frozenset(entry["S"] for entry in found["open"]["L"]),
            closed=frozenset(entry["S"] for entry in found["closed"]["L"]),
        )

    def create(self, lease: Lease) -> bool:
        """Make a lease unless it exists; False when somebody else was faster."""
        return self._put(
            {
                "shard_id": {"S": lease.shard_id},
                "parents": {"L": [{"S": parent} for parent in lease.parents]},
                "checkpoint": {"S": lease.checkpoint},
                "owner": {"S": lease.owner},
                "epoch": {"N": str(lease.epoch)},
                "beat": {"N": str(lease.beat)},
                "crashes": {"N": str(lease.crashes)},
            }
        )

    def take(self, lease: Lease, me: str) -> Lease | None:
        """Become the owner, if the lease is still at the version that was seen; None when it is not."""
        crashes = lease.crashes + (lease.owner not in (FREE, me))
        return self._update(
            lease,
            "SET #owner = :me, epoch = epoch + :one, beat = beat + :one, crashes = :crashes REMOVE wanted_by",
            "#owner = :owner AND epoch = :epoch AND beat = :beat",
            {
                ":me": {"S": me},
                ":owner": {"S": lease.owner},
                ":beat": {"N": str(lease.beat)},
                ":crashes": {"N": str(crashes)},
            },
        )

    def renew(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None:
        """Say that the owner lives, and how far it is; None when the lease is lost."""
        return self._update(
            lease,
            "SET beat = beat + :one, #checkpoint = :checkpoint, crashes = :crashes",
            "#owner = :owner AND epoch = :epoch",
            {
                ":owner": {"S": lease.owner},
                ":checkpoint": {"S": checkpoint},
                ":crashes": {"N": str(crashes)},
            },
        )

    def release(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None:
        """Let go, with the last checkpoint; None when the lease was lost before. Who wants it keeps its claim."""
        return self._update(
            lease,
            "SET #owner = :free, beat = beat + :one, #checkpoint = :checkpoint, crashes = :crashes",
            "#owner = :owner AND epoch = :epoch",
            {
                ":owner": {"S": lease.owner},
                ":free": {"S": FREE},
                ":checkpoint": {"S": checkpoint},
                ":crashes": {"N": str(crashes)},
            },
        )

    def ask(self, lease: Lease, me: str) -> Lease | None:
        """Ask the owner to let go; None when it has changed, or another has asked."""
        return self._update(
            lease,
            "SET wanted_by = :me",
            "#owner = :owner AND epoch = :epoch AND attribute_not_exists(wanted_by)",
            {":me": {"S": me}, ":owner": {"S": lease.owner}},
        )

    def forget(self, lease: Lease) -> None:
        """Remove a lease that has ended; one that has not stays."""
        try:
            self._client.delete_item(
                TableName=self._name,
                Key={"shard_id": {"S": lease.shard_id}},
                ConditionExpression="#checkpoint = :checkpoint AND #owner = :free",
                ExpressionAttributeNames={"#checkpoint": "checkpoint", "#owner": "owner"},
                ExpressionAttributeValues={":checkpoint": {"S": lease.checkpoint}, ":free": {"S": FREE}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                raise

    def _put(self, item: dict[str, Any]) -> bool:
        try:
            self._client.put_item(TableName=self._name, Item=item, ConditionExpression="attribute_not_exists(shard_id)")
        except ClientError as error:
            if error.response["Error"]["Code"] == _CONDITION_FAILED:
                return False
            raise
        return True

    def _update(self, lease: Lease, update: str, condition: str, values: dict[str, Any]) -> Lease | None:
        values = {**values, ":epoch": {"N": str(lease.epoch)}}
        if ":one" in update:
            values[":one"] = {"N": "1"}
        names = {"#owner": "owner", "#checkpoint": "checkpoint"}
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key={"shard_id": {"S": lease.shard_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={key: name for key, name in names.items() if key in update + condition},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _CONDITION_FAILED:
                return None
            raise
        return _lease(answer["Attributes"])


def _lease(row: dict[str, Any]) -> Lease:
    return Lease(
        shard_id=row["shard_id"]["S"],
        parents=tuple(entry["S"] for entry in row["parents"]["L"]),
        checkpoint=row["checkpoint"]["S"],
        owner=row["owner"]["S"],
        epoch=int(row["epoch"]["N"]),
        beat=int(row["beat"]["N"]),
        crashes=int(row["crashes"]["N"]),
        wanted_by=row.get("wanted_by", {}).get("S", ""),
    )
