"""JobTable: every job, what was asked for, and what became of it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.core.iam import Statement
from components.stores.on_demand_table import OnDemandTable, OnDemandTableArgs
from contracts import job_table

__all__ = ["JobTable", "JobTableArgs"]


class JobTableArgs(OnDemandTableArgs):
    """Arguments of `JobTable`."""


class JobTable(OnDemandTable):
    """Key ``job_id``, an index by state and time, TTL, billed per request, restorable to any second of 35 days."""

    def _create(self) -> aws.dynamodb.Table:
        by_state = aws.dynamodb.TableGlobalSecondaryIndexArgs(
            name=job_table.STATE_INDEX,
            key_schemas=[
                aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=job_table.STATE, key_type="HASH"),
                aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                    attribute_name=job_table.STATE_INDEX_SORT, key_type="RANGE"
                ),
            ],
            projection_type="ALL",
        )
        return self._make(
            job_table.JOB_ID,
            also_indexed=(job_table.STATE, job_table.STATE_INDEX_SORT),
            indexes=[by_state],
            expires_at=job_table.EXPIRES_AT,
            restorable=True,
        )

    def create(self) -> list[Statement]:
        """What a role needs that records jobs and looks for those that nobody looks after."""
        index = pulumi.Output.concat(self.arn, f"/index/{job_table.STATE_INDEX}")
        return [
            Statement(
                actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                resources=[self.arn],
            ),
            Statement(actions=["dynamodb:Query"], resources=[index]),
            *self._use_key(),
        ]

    def update(self) -> list[Statement]:
        """What a role needs that writes what became of jobs."""
        return [Statement(actions=["dynamodb:UpdateItem"], resources=[self.arn]), *self._use_key()]
