"""LeaseTable: which task of an application works on which shard, and how far it is."""

from __future__ import annotations

import pulumi_aws as aws

from components.core.iam import Statement
from components.stores.on_demand_table import OnDemandTable, OnDemandTableArgs

__all__ = ["LeaseTable", "LeaseTableArgs"]


class LeaseTableArgs(OnDemandTableArgs):
    """Arguments of `LeaseTable`."""


class LeaseTable(OnDemandTable):
    """The leases and checkpoints of one application: key ``shard_id``, billed per request.

    A replaced table is a new application: it begins at its start position again. So the table can be restored to any
    second of the last 35 days.
    """

    def _create(self) -> aws.dynamodb.Table:
        return self._make("shard_id", restorable=True)

    def share(self) -> list[Statement]:
        """What a worker's role needs to take, keep and let go of shards."""
        actions = [f"dynamodb:{name}" for name in ("Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem")]
        return [Statement(actions=actions, resources=[self.arn]), *self._use_key()]
