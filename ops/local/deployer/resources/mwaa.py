"""Amazon MWAA: environments are stored. Nothing here runs Airflow; `make test-airflow` does."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_environment"]

_SETTINGS = (
    "airflowConfigurationOptions",
    "airflowVersion",
    "dagS3Path",
    "environmentClass",
    "executionRoleArn",
    "loggingConfiguration",
    "maxWorkers",
    "minWorkers",
    "networkConfiguration",
    "requirementsS3ObjectVersion",
    "requirementsS3Path",
    "sourceBucketArn",
    "webserverAccessMode",
)


@creates("aws:mwaa/environment:Environment", "name", "workerReplacementStrategy", *_SETTINGS)
def create_environment(request: Request) -> Created:
    name = request.physical_name(max_length=80)
    # How workers are replaced matters to an update only.
    arn = request.call("mwaa", "create_environment", Name=name, **request.pick(*_SETTINGS))["Arn"]
    return Created(name, {"name": name, "arn": arn, "webserverUrl": f"{name}.airflow.invalid"})
