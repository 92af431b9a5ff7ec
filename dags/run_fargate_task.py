"""A DAG that runs one Fargate task, and waits for it: the pattern's handler does the work, Airflow decides when.

The program writes `fargate_task.json` beside this file: which task, where, with what network. Copy the operator for
tasks of your own; the role of the environment may run this task definition and no other.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.models.dag import DAG
from airflow.models.param import Param
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

TASK = json.loads(Path(__file__).with_name("fargate_task.json").read_text())

# A second task for the same attempt (its worker died between RunTask and its note of it) has the same key, and the
# worker image drops its work. max_tries changes when somebody clears the task, so that it runs again when it should.
KEY = "{{ dag.dag_id }}/{{ ti.task_id }}/{{ run_id }}/{{ ti.map_index }}/{{ ti.max_tries }}"

EVENT = """{{ {
    "id": run_id,
    "source": dag.dag_id ~ ".airflow",
    "detail-type": "Task Due",
    "time": ts,
    "detail": {"metadata": {"idempotency-key": "%s"}, "data": dict(params.data, **{"logical-date": ts})}
} | tojson }}""" % KEY.replace("{{ ", '" ~ ').replace(" }}", ' ~ "')  # noqa: UP031 - braces belong to Jinja

with DAG(
    dag_id="run_fargate_task",
    description=f"Runs the task of {TASK['pattern']} on Fargate",
    schedule=TASK["schedule"],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),  # noqa: UP017 - Airflow parses this with its own Python
    catchup=False,
    max_active_runs=1,
    params={"data": Param({}, type="object", description="detail.data of the event that the handler gets")},
    default_args={
        # RunTask throttled, no capacity, a task that Spot took back: all are failures that a later attempt mends.
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=12),
    },
    tags=["fargate"],
) as dag:
    EcsRunTaskOperator(
        task_id="run",
        cluster=TASK["cluster"],
        task_definition=TASK["task_definition"],
        launch_type="",
        capacity_provider_strategy=[{"capacityProvider": TASK["capacity_provider"], "weight": 1}],
        network_configuration=TASK["network_configuration"],
        overrides={
            "containerOverrides": [{"name": TASK["container"], "environment": [{"name": "EDA_EVENT", "value": EVENT}]}]
        },
        propagate_tags="TASK_DEFINITION",
        # After a restart of Airflow's worker: wait for the task that runs already, instead of starting a second one.
        reattach=True,
        waiter_delay=10,
        awslogs_group=TASK["log_group"],
        awslogs_region=TASK["region"],
        awslogs_stream_prefix=TASK["log_stream_prefix"],
        aws_conn_id=None,  # the environment's own role
        region_name=TASK["region"],
    )
