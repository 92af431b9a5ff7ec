"""Airflow: an Amazon MWAA environment whose DAGs run a Fargate task, with everything that the DAG has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.outputs import json_text
from components.core.place import place_of
from components.core.validation import Check, check
from components.encryption import EncryptionKey
from components.manifest import published
from components.observability.airflow_alarms import AirflowAlarms, AirflowAlarmsArgs
from components.patterns.manifests import pattern_manifest, task_ref
from components.patterns.standalone_task import RUN_EXPIRES_HOURS, StandaloneTaskArgs, create_task
from components.patterns.worker import OWNED_VARIABLES, create_idempotency_table
from components.workflows.airflow import AirflowEnvironment, AirflowEnvironmentArgs, WebserverAccess
from contracts.manifest import AirflowRef

__all__ = ["PATTERN", "TASK_FILE", "Airflow", "AirflowArgs"]

PATTERN = "airflow"
TASK_FILE = "fargate_task.json"
"""Beside the DAGs: the task that they may run. A DAG reads it as a file, so that parsing calls no service."""


@dataclass(frozen=True, kw_only=True)
class AirflowArgs(StandaloneTaskArgs):
    """Arguments of `Airflow`, beside those of `StandaloneTaskArgs`: Airflow's retries start a reclaimed task again.

    `network`: see `AirflowEnvironmentArgs`.

    Attributes:
        dag_files: path below the DAGs folder → content.
        schedule: cron of the example DAG, e.g. ``0 3 * * *``; default None: it runs when somebody asks.
        requirements, airflow_version, environment_class, min_workers, max_workers, webserver_access, configuration,
            airflow_log_level: of the environment; defaults of `AirflowEnvironmentArgs`.
        encryption_key: of the table; default None. The environment's own data have AWS's key.
    """

    dag_files: Mapping[str, pulumi.Input[str] | pulumi.Asset]
    schedule: str | None = None
    requirements: Sequence[str] = ()
    airflow_version: str = "2.10.3"
    environment_class: str = "mw1.small"
    min_workers: int | None = None
    max_workers: int | None = None
    webserver_access: WebserverAccess = WebserverAccess.PRIVATE
    configuration: Mapping[str, str] = field(default_factory=dict)
    airflow_log_level: str = "INFO"
    encryption_key: EncryptionKey | None = None


_RULES = (
    OWNED_VARIABLES,
    Check(
        ("dag_files",),
        lambda args: TASK_FILE in args.dag_files,
        f"dag_files has {TASK_FILE}, which the pattern writes; rename it",
    ),
)


class Airflow(Component):
    """Airflow decides when; Fargate does the work.

    Attributes:
        table, task, environment: the parts.
        alarms: None when they are off.
    """

    def __init__(self, name: str, args: AirflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"Airflow {name!r}", args, _RULES)
        # A worker that dies between RunTask and its note of it starts a second task: the table drops its work.
        self.table = create_idempotency_table(self, RUN_EXPIRES_HOURS, args.encryption_key)
        self.task = create_task(self, args, table=self.table, expires_hours=RUN_EXPIRES_HOURS)
        self.environment = AirflowEnvironment(
            name,
            AirflowEnvironmentArgs(
                network=args.network,
                dag_files={**args.dag_files, TASK_FILE: self._task_file(args)},
                requirements=args.requirements,
                airflow_version=args.airflow_version,
                environment_class=args.environment_class,
                min_workers=args.min_workers,
                max_workers=args.max_workers,
                webserver_access=args.webserver_access,
                configuration=args.configuration,
                log_level=args.airflow_log_level,
                statements=[*self.task.run(), *self.task.watch(), *self.task.stop(), *self.task.read_logs()],
            ),
            self.child(),
        )
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"environment": self.environment.environment_name, "url": self.environment.webserver_url})

    def _task_file(self, args: AirflowArgs) -> pulumi.Output[str]:
        network, definition = args.network, self.task.definition
        region = place_of(self).region
        document: dict[str, Any] = {
            "pattern": self.name,
            "region": region,
            "schedule": args.schedule,
            "cluster": self.task.cluster.cluster_name,
            "task_definition": definition.family,
            "container": definition.container_name,
            "capacity_provider": self.task.capacity_provider,
            "network_configuration": {
                "awsvpcConfiguration": {
                    "subnets": network.task_subnet_ids,
                    "securityGroups": [network.task_security_group_id],
                    "assignPublicIp": "DISABLED",
                }
            },
            "log_group": definition.log_group_name,
            # The awslogs driver names a stream prefix/container/task; the operator adds the task alone.
            "log_stream_prefix": f"{definition.name}/{definition.container_name}",
        }
        return json_text(document, indent=2)

    def _create_alarms(self, args: AirflowArgs) -> AirflowAlarms:
        return AirflowAlarms(
            f"{self.name}-alarms",
            AirflowAlarmsArgs(pattern=self.name, environment=self.environment, topic_arn=args.alarm_topic_arn),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return pattern_manifest(
            self,
            PATTERN,
            airflow=published(
                AirflowRef,
                environment=self.environment.environment_name,
                webserver_url=self.environment.webserver_url,
                bucket=self.environment.bucket.bucket_name,
            ),
            task=task_ref(self.task),
            idempotency_table=self.table.table_name,
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
