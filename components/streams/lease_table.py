"""LeaseTable: which task of an application works on which shard, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.encryption import EncryptionKey

__all__ = ["LeaseTable", "LeaseTableArgs"]


@dataclass(frozen=True, kw_only=True)
class LeaseTableArgs:
    """Arguments of `LeaseTable`.

    Attributes:
        encryption_key: customer-managed key; default None, which is a key that AWS owns (free).
    """

    encryption_key: EncryptionKey | None = None


class LeaseTable(Component):
    """The leases and checkpoints of one application: key ``shard_id``, billed per request.

    A replaced table is a new application: it begins at its start position again. So the table can be restored to any
    second of the last 35 days.

    Attributes:
        arn, table_name: of the table.
        table: the raw table.
    """

    def __init__(
        self, name: str, args: LeaseTableArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._key = (args or LeaseTableArgs()).encryption_key
        self.table = aws.dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="shard_id",
            attributes=[aws.dynamodb.TableAttributeArgs(name="shard_id", type="S")],
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=(
                aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self._key.arn)
                if self._key
                else None
            ),
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.table.arn
        self.table_name: pulumi.Output[str] = self.table.name
        self.publish({"arn": self.arn, "table_name": self.table_name})

    def share(self) -> list[Statement]:
        """What a worker's role needs to take, keep and let go of shards."""
        actions = [f"dynamodb:{name}" for name in ("Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem")]
        statements = [Statement(actions=actions, resources=[self.arn])]
        return [*statements, self._key.use()] if self._key else statements
