"""The DAG on real Airflow, its task on the embedded ECS: `make test-airflow`, which installs Airflow in its own venv."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.emulator import ROOT
from tests.local.deployed import Deployed, deployed, eventually

AIRFLOW = ROOT / ".venv-airflow" / "bin" / "airflow"
LOGICAL_DATE = "2026-11-20T03:00:00+00:00"

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not AIRFLOW.exists(), reason="Airflow is not installed: make test-airflow installs it"),
]


@dataclass(frozen=True)
class Scheduler:
    """Airflow with what MWAA would have copied from the environment's bucket."""

    stack: Deployed
    home: Path

    def command(self, *arguments: str) -> dict[str, Any]:
        environment = {
            **self.stack.environment,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }
        del environment["PYTHONPATH"]
        return {"args": [str(AIRFLOW), *arguments], "env": environment, "cwd": self.home, "text": True}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(**self.command(*arguments), capture_output=True, timeout=200, check=False)

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks that the cluster has seen."""
        task = self.stack.manifest.task
        assert task is not None
        ecs = self.stack.client("ecs")
        arns = {  # one that ends between the two calls is in both
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=task.cluster, desiredStatus=status)["taskArns"]
        }
        if not arns:
            return []
        found: list[dict[str, Any]] = ecs.describe_tasks(cluster=task.cluster, tasks=sorted(arns))["tasks"]
        return found


@contextmanager
def airflow(root: Path, **environment: str) -> Iterator[Scheduler]:
    settings = {
        "pattern": "airflow",
        "handler": {
            "function": "tests.local.handlers:bake",
            "image": "eda-worker:local",
            "environment": {"EFFECTS": str(root / "effects"), **environment},
            "stop_timeout_seconds": 10,
        },
    }
    with deployed(root, settings, shared={"eda:network": {"nat": "gateway"}}) as stack:
        scheduler = Scheduler(stack, root / "airflow")
        reference = stack.manifest.airflow
        assert reference is not None
        s3 = stack.client("s3")
        for item in s3.list_objects_v2(Bucket=reference.bucket, Prefix="dags/")["Contents"]:
            path = scheduler.home / item["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(reference.bucket, item["Key"], str(path))
        migrated = scheduler.run("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield scheduler


def conf(name: str) -> str:
    return json.dumps({"data": {"name": name}})


def test_the_dag_runs_a_fargate_task_and_hears_of_its_end(tmp_path: Path):
    with airflow(tmp_path / "checkout") as scheduler:
        errors = scheduler.run("dags", "list-import-errors")
        assert "No data found" in errors.stdout, errors.stdout
        done = scheduler.run("dags", "test", "run_fargate_task", LOGICAL_DATE, "--conf", conf("margherita"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "state:success" in (done.stdout + done.stderr).replace(" ", "").replace("=", ":")
        ((key, count),) = scheduler.stack.effects().items()
        assert (key.split("/")[:2], count) == (["run_fargate_task", "run"], 1)
        (task,) = scheduler.tasks()
        assert task["containers"][0]["exitCode"] == 0


def test_a_killed_airflow_worker_starts_no_second_task(tmp_path: Path):
    with airflow(tmp_path / "checkout", BAKING_SECONDS="45") as scheduler:
        # GIVEN a worker that is killed while its Fargate task runs
        arguments = ("dags", "test", "run_fargate_task", LOGICAL_DATE, "--conf", conf("margherita"))
        with open(os.devnull, "w") as null:
            killed = subprocess.Popen(**scheduler.command(*arguments), stdout=null, stderr=null, start_new_session=True)
            try:
                eventually(lambda: len(scheduler.tasks()) == 1, 100, scheduler.tasks)
            finally:
                os.killpg(killed.pid, signal.SIGKILL)
                killed.wait()
        # WHEN the run is tried again
        done = scheduler.run(*arguments)
        # THEN it finds the task that runs already
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Reattaching previously launched task" in done.stdout + done.stderr
        assert len(scheduler.tasks()) == 1
        assert sum(scheduler.stack.effects().values()) == 1


def test_the_tasks_failure_is_the_dags(tmp_path: Path):
    with airflow(tmp_path / "checkout") as scheduler:
        done = scheduler.run(
            *("tasks", "test", "run_fargate_task", "run", LOGICAL_DATE, "--task-params", conf("poison"))
        )
        assert done.returncode != 0
        assert "This task is not in success state" in done.stdout + done.stderr
        (task,) = scheduler.tasks()
        assert task["containers"][0]["exitCode"] not in (0, None)
        assert scheduler.stack.effects().total() == 0
