"""IdempotencyTable: which events have been handled, and what the handler returned for them."""

from __future__ import annotations

import pulumi_aws as aws

from components.core.iam import Statement
from components.stores.on_demand_table import OnDemandTable, OnDemandTableArgs

__all__ = ["IdempotencyTable", "IdempotencyTableArgs"]


class IdempotencyTableArgs(OnDemandTableArgs):
    """Arguments of `IdempotencyTable`."""


class IdempotencyTable(OnDemandTable):
    """The table of Powertools' idempotency utility: key ``id``, TTL attribute ``expiration``, billed per request."""

    def _create(self) -> aws.dynamodb.Table:
        return self._make("id", expires_at="expiration")

    def remember(self) -> list[Statement]:
        """What a worker's role needs to claim an event and to keep its result."""
        actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        return [Statement(actions=actions, resources=[self.arn]), *self._use_key()]
