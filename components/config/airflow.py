"""Settings of the pattern `airflow`: Amazon MWAA → Fargate task."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import HandlerSettings
from components.network import NatMode
from components.workflows.airflow_args import (
    ENDPOINT_SERVICES,
    ENVIRONMENT_CLASSES,
    PYTHON_BY_AIRFLOW,
    WebserverAccess,
    sizes_problem,
)

__all__ = ["AirflowSettings", "EnvironmentSettings"]


class EnvironmentSettings(Settings):
    """The MWAA environment. It takes 20 to 30 minutes to be made and is billed by the hour."""

    version: Literal["2.9.2", "2.10.1", "2.10.3", "3.0.6"] = Field(
        "2.10.3",
        description=f"Airflow's version: {', '.join(PYTHON_BY_AIRFLOW)}; from 2 to 3 it is replaced; default 2.10.3",
    )
    environment_class: Literal["mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge"] = (
        Field("mw1.small", description=f"{', '.join(ENVIRONMENT_CLASSES)}; default mw1.small")
    )
    min_workers: int | None = Field(
        None, ge=1, le=25, description="a whole number from 1 to 25, kept running; mw1.micro has 1; default 1"
    )
    max_workers: int | None = Field(
        None, ge=1, le=25, description="a whole number from min_workers to 25; mw1.micro has 1; default 5"
    )
    webserver: WebserverAccess = Field(
        WebserverAccess.PRIVATE,
        description="private (reached through the VPC) or public (from the internet); IAM lets people in, both times; "
        "default private",
    )
    configuration: dict[Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$")], str] = Field(
        default_factory=dict, description="a map of Airflow options, section.key, to texts; default none"
    )
    log_level: Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"] = Field(
        "INFO", description="of Airflow's own logs: CRITICAL, ERROR, WARNING, INFO or DEBUG; default INFO"
    )

    @model_validator(mode="after")
    def _possible_sizes(self) -> Self:
        if problem := sizes_problem(self.environment_class, self.min_workers, self.max_workers):
            raise ValueError(problem)
        return self


class AirflowSettings(PatternSettings):
    """DAGs on Amazon MWAA, which run a Fargate task."""

    endpoint_services: ClassVar[tuple[str, ...]] = ENDPOINT_SERVICES

    pattern: Literal["airflow"] = Field(..., description="airflow")
    handler: HandlerSettings = Field(..., description="the container that runs the handler, as the task of the DAGs")
    dags: str = Field(
        "dags", min_length=1, description="folder of the DAGs, relative to Pulumi.yaml; default dags, with one example"
    )
    schedule: str | None = Field(
        None,
        pattern=r"^\S+( \S+){4}$",
        description="cron of the example DAG in five fields, UTC, e.g. 0 3 * * *; default none: it runs when asked",
    )
    requirements: tuple[Annotated[str, Field(pattern=r"^[^\n\r]+$")], ...] = Field(
        (),
        description="lines of a pip requirements file; Airflow's constraints are put before them unless one is "
        "--constraint; default none",
    )
    environment: EnvironmentSettings = Field(
        default_factory=EnvironmentSettings, description="the MWAA environment; default a private mw1.small"
    )
    spot: bool = Field(
        False,
        description="true or false; Fargate Spot: Airflow's retries start a reclaimed task again; default false",
    )

    def problems_in(self, stack: Any) -> list[str]:
        network = stack.network
        public = network.assign_public_ip if network.vpc_id else network.nat is NatMode.NONE
        if public:
            fix = "name private subnets" if network.vpc_id else "set network.nat to gateway or endpoints"
            return [
                "pattern: airflow needs private subnets with a way to AWS (a NAT gateway or interface endpoints), "
                f"and this stack's are public; {fix}"
            ]
        if network.vpc_id and len(network.subnet_ids) < 2:
            return [
                f"pattern: airflow needs two subnets in two availability zones, and network.subnet_ids has "
                f"{len(network.subnet_ids)}; name another one"
            ]
        if self.requirements and not network.vpc_id and network.nat is NatMode.ENDPOINTS:
            return [
                "requirements: pip reaches no package index from a network without internet; set network.nat to "
                "gateway, or leave requirements out"
            ]
        return []
