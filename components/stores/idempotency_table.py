"""IdempotencyTable: which events have been handled, and what the handler returned for them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.encryption import EncryptionKey

__all__ = ["IdempotencyTable", "IdempotencyTableArgs"]


@dataclass(frozen=True, kw_only=True)
class IdempotencyTableArgs:
    """Arguments of `IdempotencyTable`.

    Attributes:
        encryption_key: customer-managed key; default None, which is a key that AWS owns (free).
    """

    encryption_key: EncryptionKey | None = None


class IdempotencyTable(Component):
    """The table of Powertools' idempotency utility: key ``id``, TTL attribute ``expiration``, billed per request.

    Attributes:
        arn, table_name: of the table.
        table: the raw table.
    """

    def __init__(
        self, name: str, args: IdempotencyTableArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._key = (args or IdempotencyTableArgs()).encryption_key
        self.table = aws.dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="id",
            attributes=[aws.dynamodb.TableAttributeArgs(name="id", type="S")],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name="expiration", enabled=True),
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

    def remember(self) -> list[Statement]:
        """What a worker's role needs to claim an event and to keep its result."""
        actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        statements = [Statement(actions=actions, resources=[self.arn])]
        return [*statements, self._key.use()] if self._key else statements
