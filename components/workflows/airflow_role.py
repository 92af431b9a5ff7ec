"""The execution role of an MWAA environment: what its schedulers and workers may do, which is what DAGs may do.

Source: MWAA user guide, "Amazon MWAA execution role", with each action named and the key limited by conditions.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.place import Place
from components.stores.bucket import Bucket

__all__ = ["create_execution_role"]

_SERVICES = ("airflow.amazonaws.com", "airflow-env.amazonaws.com")


def create_execution_role(
    owner: Component, environment: str, bucket: Bucket, place: Place, statements: Sequence[Statement]
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """The role and its policy; the environment needs the policy when it is made."""
    role = aws.iam.Role(
        f"{owner.name}-execution-role",
        description=f"What the DAGs of {environment} may do",
        assume_role_policy=policy_document(
            [
                Statement(
                    actions=["sts:AssumeRole"],
                    principals={"Service": list(_SERVICES)},
                    conditions={"StringEquals": {"aws:SourceAccount": place.account_id}},
                )
            ]
        ),
        opts=owner.child(),
    )
    policy = aws.iam.RolePolicy(
        f"{owner.name}-execution-role-policy",
        role=role.name,
        policy=policy_document(
            [
                Statement(
                    actions=["airflow:PublishMetrics"], resources=[place.arn("airflow", f"environment/{environment}")]
                ),
                *_read(bucket),
                *_observe(environment, place),
                *_use_the_celery_queue(place),
                *statements,
            ]
        ),
        opts=owner.child(),
    )
    return role, policy


def _read(bucket: Bucket) -> list[Statement]:
    return [
        Statement(actions=["s3:GetObject", "s3:GetObjectVersion"], resources=[pulumi.Output.concat(bucket.arn, "/*")]),
        Statement(
            actions=[
                "s3:GetBucketLocation",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:ListBucket",
                "s3:ListBucketVersions",
            ],
            resources=[bucket.arn],
        ),
        Statement(
            actions=["s3:GetAccountPublicAccessBlock"],
            resources=["*"],
            why_any_resource="the setting belongs to the account: the action has no resource-level permissions",
        ),
    ]


def _observe(environment: str, place: Place) -> list[Statement]:
    return [
        Statement(
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:GetLogEvents",
                "logs:GetLogGroupFields",
                "logs:GetLogRecord",
                "logs:GetQueryResults",
                "logs:PutLogEvents",
            ],
            resources=[place.arn("logs", f"log-group:airflow-{environment}-*")],
        ),
        Statement(
            actions=["logs:DescribeLogGroups"],
            resources=["*"],
            why_any_resource="it lists all log groups of the account",
        ),
        Statement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            why_any_resource="metrics are no resources: the action has no resource-level permissions",
        ),
    ]


def _use_the_celery_queue(place: Place) -> list[Statement]:
    """MWAA's queue between schedulers and workers, and its key, are in an account of AWS that nobody is told of."""
    return [
        Statement(
            actions=[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
            resources=[
                pulumi.Output.concat("arn:", place.partition, ":sqs:", place.region, ":*:airflow-celery-*"),
            ],
        ),
        Statement(
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={
                "StringEquals": {"kms:ViaService": pulumi.Output.concat("sqs.", place.region, ".amazonaws.com")},
                "StringNotEquals": {"aws:ResourceAccount": place.account_id},
            },
            why_any_resource="the key of MWAA's queue is AWS's own and unknown; the conditions exclude this account's "
            "keys and everything but SQS",
        ),
    ]
