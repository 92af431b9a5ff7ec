"""JobTable: every job, what was asked for, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.encryption import EncryptionKey
from contracts import job_table

__all__ = ["JobTable", "JobTableArgs"]


@dataclass(frozen=True, kw_only=True)
class JobTableArgs:
    """Arguments of `JobTable`.

    Attributes:
        encryption_key: customer-managed key; default None, which is a key that AWS owns (free).
    """

    encryption_key: EncryptionKey | None = None


class JobTable(Component):
    """Key ``job_id``, an index by state and time, TTL, billed per request, restorable to any second of 35 days.

    Attributes:
        arn, table_name: of the table.
        table: the raw table.
    """

    def __init__(self, name: str, args: JobTableArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._key = (args or JobTableArgs()).encryption_key
        names = (job_table.JOB_ID, job_table.STATE, job_table.STATE_INDEX_SORT)
        self.table = aws.dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=job_table.JOB_ID,
            attributes=[aws.dynamodb.TableAttributeArgs(name=one, type="S") for one in names],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=job_table.STATE_INDEX,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=job_table.STATE, key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=job_table.STATE_INDEX_SORT, key_type="RANGE"
                        ),
                    ],
                    projection_type="ALL",
                )
            ],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=job_table.EXPIRES_AT, enabled=True),
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

    def _use_key(self) -> list[Statement]:
        return [self._key.use()] if self._key else []
