"""Settings of an `airflow` → `Airflow`."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.config.airflow import AirflowSettings
from components.core.errors import ComponentError
from components.patterns.airflow import Airflow, AirflowArgs
from components.patterns.from_settings.handler import handler_values
from components.shared import Shared

__all__ = ["build_airflow", "dag_files"]

_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}


def dag_files(name: str, folder: str) -> dict[str, pulumi.Asset]:
    """Every file below the folder, by its path in it.

    Raises:
        ComponentError: there is no such folder, or no DAG in it.
    """
    root = Path(folder)
    files = {
        path.relative_to(root).as_posix(): pulumi.FileAsset(str(path))
        for path in sorted(root.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.parts)
    }
    if not any(path.endswith(".py") for path in files):
        what = "has no Python file" if root.is_dir() else "is no folder"
        raise ComponentError(f"patterns.{name}.dags: {folder!r} {what}; name the folder of your DAGs, e.g. 'dags'")
    return dict(files)


def build_airflow(name: str, settings: AirflowSettings, shared: Shared) -> Airflow:
    environment = settings.environment
    return Airflow(
        name,
        AirflowArgs(
            **handler_values(name, settings.handler, shared),
            dag_files=dag_files(name, settings.dags),
            schedule=settings.schedule,
            requirements=settings.requirements,
            airflow_version=environment.version,
            environment_class=environment.environment_class,
            min_workers=environment.min_workers,
            max_workers=environment.max_workers,
            webserver_access=environment.webserver,
            configuration=environment.configuration,
            airflow_log_level=environment.log_level,
            spot=settings.spot,
            encryption_key=shared.encryption_key,
        ),
    )
