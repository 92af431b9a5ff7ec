"""A network without a way to the internet has an interface endpoint for each service that the tasks in it call."""

from __future__ import annotations

import json
from typing import Any

from components.config.loading import parse
from components.network import DEFAULT_ENDPOINT_SERVICES
from components.shared import endpoint_services

_HANDLER = {"image": "registry.example/worker:1"}
_EVENTS = {"source": ["com.flix"], "detail-type": ["ChannelCreated"]}


def endpoints_of(pattern: dict[str, Any]) -> set[str]:
    return set(endpoint_services(parse({"patterns": json.dumps({"one": pattern})}, "dev"))) - set(
        DEFAULT_ENDPOINT_SERVICES
    )


def test_a_queue_worker_needs_no_more_than_every_pattern():
    assert endpoints_of({"pattern": "queue-worker", "events": _EVENTS, "handler": _HANDLER}) == set()


def test_workers_of_a_stream_call_kinesis():
    assert endpoints_of({"pattern": "stream-worker", "handler": _HANDLER}) == {"kinesis-streams"}


def test_the_dispatcher_of_tasks_for_objects_calls_ecs():
    settings = {"pattern": "object-processing", "objects": {"bucket": "uploads"}, "handler": _HANDLER}
    assert endpoints_of(settings) == {"ecs"}


def test_the_steps_of_a_workflow_call_step_functions():
    step = {"name": "bake", "kind": "callback", "handler": _HANDLER, "heartbeat_seconds": 60, "timeout_seconds": 600}
    assert endpoints_of({"pattern": "workflow", "events": _EVENTS, "steps": [step]}) == {"states"}
