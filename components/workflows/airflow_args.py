"""Arguments of `AirflowEnvironment`, the sizes that MWAA has, and the rules that they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pulumi

from components.core.iam import Statement
from components.core.validation import Check, OneOf, Range, Rule
from components.network import Network

__all__ = [
    "AIRFLOW_RULES",
    "ENDPOINT_SERVICES",
    "ENVIRONMENT_CLASSES",
    "PYTHON_BY_AIRFLOW",
    "AirflowEnvironmentArgs",
    "WebserverAccess",
    "constraints_url",
    "requirements_text",
    "sizes_problem",
]

ENVIRONMENT_CLASSES: Final = ("mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge")
"""MWAA user guide, "Configuring the Amazon MWAA environment class"."""

PYTHON_BY_AIRFLOW: Final[Mapping[str, str]] = {"2.9.2": "3.11", "2.10.1": "3.11", "2.10.3": "3.11", "3.0.6": "3.12"}
"""Versions that are offered here, and the Python that MWAA runs each with (MWAA user guide, "Apache Airflow
versions")."""

ENDPOINT_SERVICES: Final = ("airflow.api", "airflow.env", "airflow.ops", "ecs", "kms", "monitoring")
"""What an environment needs beside the network's defaults where there is no way to the internet (MWAA user guide,
"Creating the required VPC service endpoints in an Amazon VPC with private routing"); ``ecs``, to run tasks."""

_LOG_LEVELS: Final = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_MICRO: Final = "mw1.micro"
_MAX_WORKERS: Final = 25
_MIN_SUBNETS: Final = 2


class WebserverAccess(StrEnum):
    """From where Airflow's web server can be reached; IAM decides who may sign in, in both cases."""

    PRIVATE = "private"
    """Through an endpoint in the VPC: by VPN, peering, or a bastion."""
    PUBLIC = "public"
    """From the internet."""


@dataclass(frozen=True, kw_only=True)
class AirflowEnvironmentArgs:
    """Arguments of `AirflowEnvironment`.

    Attributes:
        network: private subnets in two zones, with a way to AWS: ``nat`` is ``gateway`` or ``endpoints``, or an
            existing VPC. Of three subnets the first two are used. **A change replaces the environment.**
        dag_files: the DAGs folder: path below it → content, a text or an asset; at least one.
        requirements: lines of a pip requirements file; default none, what MWAA's image has. A line that begins with
            ``--constraint`` stands; without one, Airflow's own constraints of this version are put before the rest.
        airflow_version: one of `PYTHON_BY_AIRFLOW`; default 2.10.3. Minor versions change in place, in both directions.
            **A change from 2 to 3 replaces the environment**; MWAA refuses one from 3 to 2.
        environment_class: one of `ENVIRONMENT_CLASSES`; default mw1.small. A micro one has one worker, one scheduler.
        min_workers, max_workers: 1 to 25; default 1 and 5 (mw1.micro: 1 and 1).
        webserver_access: default private.
        configuration: Airflow options, ``section.key`` → value; default none.
        log_level: of all five logs, CRITICAL, ERROR, WARNING, INFO or DEBUG; default INFO.
        statements: what the DAGs may do, e.g. run a task; default nothing.
    """

    network: Network
    dag_files: Mapping[str, pulumi.Input[str] | pulumi.Asset]
    requirements: Sequence[str] = ()
    airflow_version: str = "2.10.3"
    environment_class: str = "mw1.small"
    min_workers: int | None = None
    max_workers: int | None = None
    webserver_access: WebserverAccess = WebserverAccess.PRIVATE
    configuration: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "INFO"
    statements: Sequence[Statement] = ()

    @property
    def workers(self) -> tuple[int, int]:
        """The fewest and the most."""
        most = 1 if self.environment_class == _MICRO else 5
        fewest = 1 if self.min_workers is None else self.min_workers
        return fewest, max(most, fewest) if self.max_workers is None else self.max_workers


def constraints_url(airflow_version: str) -> str:
    """Where Airflow publishes the package versions that it was released with."""
    python = PYTHON_BY_AIRFLOW[airflow_version]
    return f"https://raw.githubusercontent.com/apache/airflow/constraints-{airflow_version}/constraints-{python}.txt"


def requirements_text(lines: Sequence[str], airflow_version: str) -> str:
    """The requirements file; with a constraint in any case.

    Without one MWAA takes its own, and an environment that is made again a year later gets other packages.
    """
    own = any(line.strip().startswith(("--constraint", "-c ")) for line in lines)
    head = [] if own else [f'--constraint "{constraints_url(airflow_version)}"']
    return "\n".join([*head, *lines]) + "\n"


def sizes_problem(environment_class: str, min_workers: int | None, max_workers: int | None) -> str | None:
    """What is wrong with the numbers of workers; None if nothing is."""
    fewest, most = min_workers or 1, max_workers
    if environment_class == _MICRO and (fewest != 1 or most not in (None, 1)):
        return (
            f"min_workers and max_workers are {fewest} and {most}; an mw1.micro environment has exactly one worker: "
            "leave them out, or choose mw1.small"
        )
    if most is not None and fewest > most:
        return f"min_workers is {fewest}, more than max_workers ({most}); lower it or raise max_workers"
    return None


def _wrong_paths(args: AirflowEnvironmentArgs) -> list[str]:
    return sorted(path for path in args.dag_files if not path or path.startswith(("/", "../")) or "/../" in path)


AIRFLOW_RULES: tuple[Rule, ...] = (
    OneOf("environment_class", ENVIRONMENT_CLASSES),
    OneOf("airflow_version", tuple(PYTHON_BY_AIRFLOW)),
    OneOf("webserver_access", tuple(item.value for item in WebserverAccess)),
    OneOf("log_level", _LOG_LEVELS),
    Range("min_workers", 1, _MAX_WORKERS, "workers"),
    Range("max_workers", 1, _MAX_WORKERS, "workers"),
    Check(
        ("environment_class", "min_workers", "max_workers"),
        lambda args: sizes_problem(args.environment_class, args.min_workers, args.max_workers) is not None,
        lambda args: str(sizes_problem(args.environment_class, args.min_workers, args.max_workers)),
    ),
    Check(
        ("network",),
        lambda args: args.network.assign_public_ip,
        "the network's subnets are public (nat: none); MWAA needs private ones with a NAT gateway or interface "
        "endpoints: set nat to gateway or endpoints",
    ),
    Check(
        ("network",),
        lambda args: len(args.network.task_subnet_ids) < _MIN_SUBNETS,
        lambda args: (
            f"the network has {len(args.network.task_subnet_ids)} subnet; MWAA needs two, in two availability zones"
        ),
    ),
    Check(
        ("dag_files",),
        lambda args: not args.dag_files,
        "dag_files is empty; an environment without a DAG does nothing: name at least one file",
    ),
    Check(
        ("dag_files",),
        lambda args: bool(_wrong_paths(args)),
        lambda args: f"dag_files has {_wrong_paths(args)}; a path is relative to the DAGs folder and stays below it",
    ),
    Check(
        ("configuration",),
        lambda args: any("." not in key for key in args.configuration),
        lambda args: (
            f"configuration has {sorted(key for key in args.configuration if '.' not in key)}; "
            "an option is section.key, e.g. 'core.parallelism'"
        ),
    ),
)
