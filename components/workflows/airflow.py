"""AirflowEnvironment: Amazon MWAA with its bucket, its DAGs, its execution role and its security group."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.core.naming import stack_name
from components.core.place import place_of
from components.core.validation import check
from components.network import Network
from components.stores.bucket import Bucket, BucketArgs
from components.workflows.airflow_args import (
    AIRFLOW_RULES,
    AirflowEnvironmentArgs,
    WebserverAccess,
    requirements_text,
)
from components.workflows.airflow_role import create_execution_role

__all__ = ["AirflowEnvironment", "AirflowEnvironmentArgs", "WebserverAccess"]

_DAGS = "dags"
_REQUIREMENTS = "requirements.txt"
_SUBNETS = 2
_ACCESS = {WebserverAccess.PRIVATE: "PRIVATE_ONLY", WebserverAccess.PUBLIC: "PUBLIC_ONLY"}


class AirflowEnvironment(Component):
    """An environment takes 20 to 30 minutes to be made, and is billed by the hour from then on.

    Attributes:
        arn, environment_name: of the environment. The name is known before it, because its role's policy needs it.
        webserver_url: without ``https://``.
        bucket: versioned and closed; DAGs under ``dags/``.
        role: the execution role.
        environment: the raw environment.
    """

    def __init__(self, name: str, args: AirflowEnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"AirflowEnvironment {name!r}", args, AIRFLOW_RULES)
        self.environment_name = stack_name(name).replace(".", "-")
        # MWAA refuses a bucket without versions or with public access.
        self.bucket = Bucket(f"{name}-dags", BucketArgs(versioned=True, events=False, force_destroy=True), self.child())
        self._place = place_of(self)
        self.role, policy = create_execution_role(
            self, self.environment_name, self.bucket, self._place, args.statements
        )
        dags = [self._upload(f"{_DAGS}/{path}", content) for path, content in sorted(args.dag_files.items())]
        requirements = (
            self._upload(_REQUIREMENTS, requirements_text(args.requirements, args.airflow_version))
            if args.requirements
            else None
        )
        group = self._create_security_group(args.network)
        self.environment = self._create(args, group, requirements, [policy, *dags, args.network])
        self.arn: pulumi.Output[str] = self.environment.arn
        self.webserver_url: pulumi.Output[str] = self.environment.webserver_url
        self.publish({"arn": self.arn, "webserver_url": self.webserver_url, "bucket": self.bucket.bucket_name})

    def sign_in(self, airflow_role: str = "User") -> list[Statement]:
        """For people: open Airflow's web server with one of its roles, Admin, Op, User, Viewer or Public."""
        return [
            Statement(
                actions=["airflow:CreateWebLoginToken"],
                resources=[self._place.arn("airflow", f"role/{self.environment_name}/{airflow_role}")],
            )
        ]

    def _upload(self, key: str, content: pulumi.Input[str] | pulumi.Asset) -> aws.s3.BucketObjectv2:
        asset = content if isinstance(content, pulumi.Asset) else None
        return aws.s3.BucketObjectv2(
            f"{self.name}-{key.lower().replace('/', '-').replace('.', '-').replace('_', '-')}",
            bucket=self.bucket.bucket_name,
            key=key,
            source=asset,
            content=None if isinstance(content, pulumi.Asset) else content,
            opts=self.child(depends_on=self.bucket.ready),
        )

    def _create_security_group(self, network: Network) -> aws.ec2.SecurityGroup:
        """Schedulers, workers, web server and database talk to one another, and nobody else talks to them."""
        group = aws.ec2.SecurityGroup(
            f"{self.name}-airflow",
            vpc_id=network.vpc_id,
            description=f"MWAA environment {self.environment_name}: only itself",
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self.name}-airflow-ingress",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="-1",
            opts=self.child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self.name}-airflow-egress",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="-1",
            opts=self.child(),
        )
        return group

    def _create(
        self,
        args: AirflowEnvironmentArgs,
        group: aws.ec2.SecurityGroup,
        requirements: aws.s3.BucketObjectv2 | None,
        depends_on: list[pulumi.Resource],
    ) -> aws.mwaa.Environment:
        fewest, most = args.workers
        return aws.mwaa.Environment(
            self.name,
            name=self.environment_name,
            airflow_version=args.airflow_version,
            environment_class=args.environment_class,
            min_workers=fewest,
            max_workers=most,
            source_bucket_arn=self.bucket.arn,
            dag_s3_path=f"{_DAGS}/",
            requirements_s3_path=_REQUIREMENTS if requirements else None,
            # MWAA installs the version that it is told of; a new file alone changes nothing.
            requirements_s3_object_version=requirements.version_id if requirements else None,
            execution_role_arn=self.role.arn,
            webserver_access_mode=_ACCESS[WebserverAccess(args.webserver_access)],
            # No worker_replacement_strategy: it is an option of one update, and MWAA returns that of the last one. So
            # the provider finds a difference after the creation, and after each update that was not about it, and
            # starts an update for it alone; GRACEFUL may take twelve hours, and the provider waits for one and a half.
            airflow_configuration_options=dict(args.configuration) or None,
            network_configuration=aws.mwaa.EnvironmentNetworkConfigurationArgs(
                # The tasks' group lets it out to AWS, and to the interface endpoints, which let that group in.
                security_group_ids=[group.id, args.network.task_security_group_id],
                subnet_ids=args.network.task_subnet_ids[:_SUBNETS],
            ),
            logging_configuration=_logging(args.log_level),
            opts=self.child(depends_on=depends_on),
        )


def _logging(level: str) -> aws.mwaa.EnvironmentLoggingConfigurationArgs:
    logs = aws.mwaa
    return logs.EnvironmentLoggingConfigurationArgs(
        dag_processing_logs=logs.EnvironmentLoggingConfigurationDagProcessingLogsArgs(enabled=True, log_level=level),
        scheduler_logs=logs.EnvironmentLoggingConfigurationSchedulerLogsArgs(enabled=True, log_level=level),
        task_logs=logs.EnvironmentLoggingConfigurationTaskLogsArgs(enabled=True, log_level=level),
        webserver_logs=logs.EnvironmentLoggingConfigurationWebserverLogsArgs(enabled=True, log_level=level),
        worker_logs=logs.EnvironmentLoggingConfigurationWorkerLogsArgs(enabled=True, log_level=level),
    )
