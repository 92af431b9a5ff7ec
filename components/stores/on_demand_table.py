"""OnDemandTable: what the DynamoDB tables of this project have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.encryption import EncryptionKey

__all__ = ["OnDemandTable", "OnDemandTableArgs"]


@dataclass(frozen=True, kw_only=True)
class OnDemandTableArgs:
    """Arguments of every table.

    Attributes:
        encryption_key: customer-managed key; default None, which is a key that AWS owns (free).
    """

    encryption_key: EncryptionKey | None = None


class OnDemandTable(Component, ABC):
    """A table that is billed per request; its subclasses say what is in it and who needs which actions.

    Attributes:
        arn, table_name: of the table.
        table: the raw table.
    """

    def __init__(
        self, name: str, args: OnDemandTableArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._key = (args or OnDemandTableArgs()).encryption_key
        self.table = self._create()
        self.arn: pulumi.Output[str] = self.table.arn
        self.table_name: pulumi.Output[str] = self.table.name
        self.publish({"arn": self.arn, "table_name": self.table_name})

    @abstractmethod
    def _create(self) -> aws.dynamodb.Table:
        """The table, by `_make`."""

    def _make(
        self,
        hash_key: str,
        *,
        also_indexed: Sequence[str] = (),
        indexes: Sequence[aws.dynamodb.TableGlobalSecondaryIndexArgs] | None = None,
        expires_at: str | None = None,
        restorable: bool = False,
    ) -> aws.dynamodb.Table:
        """Make the table.

        Args:
            hash_key: the attribute that is its key, a text.
            also_indexed: the attributes of `indexes`, texts too.
            expires_at: the attribute with the second (of the epoch) after which an item may go; None keeps all.
            restorable: to any second of the last 35 days.
        """
        return aws.dynamodb.Table(
            self.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=hash_key,
            attributes=[aws.dynamodb.TableAttributeArgs(name=one, type="S") for one in (hash_key, *also_indexed)],
            global_secondary_indexes=indexes,
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=expires_at, enabled=True) if expires_at else None,
            point_in_time_recovery=(aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True) if restorable else None),
            server_side_encryption=(
                aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self._key.arn)
                if self._key
                else None
            ),
            opts=self.child(),
        )

    def _use_key(self) -> list[Statement]:
        return [self._key.use()] if self._key else []
