from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError, InvalidNameError
from components.core.iam import Statement
from components.network import Network
from components.patterns.queue_worker import QueueWorker, QueueWorkerArgs
from components.routers.event_bus import EventBus
from components.stores.queue import QueueArgs
from contracts.manifest import PatternManifest
from contracts.scaling import ScalingPolicy
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record


def worker(name: str = "orders", **changes: Any) -> QueueWorker:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "bus": EventBus("events"),
        "event_pattern": {"source": ["pizza.service.com"]},
        "container": ContainerArgs(image="registry.example/worker:1", environment={"MENU": "margherita"}),
        "function": "worker.handlers.pizza:handle",
    }
    return QueueWorker(name, QueueWorkerArgs(**{**arguments, **changes}))


def container_of(recorder: Recorder) -> dict[str, Any]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs
    (container,) = json.loads(definition["containerDefinitions"])
    result: dict[str, Any] = container
    return result


def environment_of(recorder: Recorder) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container_of(recorder)["environment"]}


def role_statements(recorder: Recorder, policy: str) -> list[dict[str, Any]]:
    return policy_of(recorder.one("aws:iam/rolePolicy:RolePolicy", policy).inputs["policy"])


def test_it_is_the_picture_in_the_documentation():
    recorder = record(worker)
    assert recorder.names("aws:sqs/queue:Queue") == ["orders", "orders-dlq", "orders-undelivered"]
    assert recorder.names("aws:cloudwatch/eventRule:EventRule") == ["orders"]
    assert recorder.names("aws:cloudwatch/eventTarget:EventTarget") == ["orders-orders"]
    assert recorder.names("aws:dynamodb/table:Table") == ["orders-idempotency"]
    assert recorder.names("aws:ecs/service:Service") == ["orders"]
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["orders"]
    assert len(recorder.of_type("aws:appautoscaling/target:Target")) == 1
    assert walk_policies(recorder) == []


def test_the_worker_finds_everything_in_its_environment():
    environment = environment_of(record(lambda: worker(concurrency=4, queue=QueueArgs(max_receive_count=3))))
    queues = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
    assert environment == {
        "BATCH_SIZE": "10",
        "CHECK_SCHEMAS": "true",
        "CONCURRENCY": "4",
        "DEAD_LETTER_QUEUE_URL": f"{queues}/orders-dlq-0a1b2c3",
        "EDA_PATTERN": "orders",
        "EDA_STACK": "test",
        "HANDLER": "worker.handlers.pizza:handle",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "orders-idempotency-0a1b2c3",
        "LOG_LEVEL": "INFO",
        "MAX_RECEIVE_COUNT": "3",
        "MENU": "margherita",
        "QUEUE_URL": f"{queues}/orders-0a1b2c3",
        "RECEIVE_WAIT_SECONDS": "20",
        "STOP_TIMEOUT_SECONDS": "120",
        "VISIBILITY_TIMEOUT_SECONDS": "30",
    }


def test_receives_are_as_large_and_as_patient_as_asked():
    environment = environment_of(record(lambda: worker(batch_size=1, receive_wait_seconds=5)))
    assert (environment["BATCH_SIZE"], environment["RECEIVE_WAIT_SECONDS"]) == ("1", "5")


def test_an_image_may_name_its_own_handler():
    assert "HANDLER" not in environment_of(record(lambda: worker(function=None)))


def test_the_task_may_consume_dead_letter_remember_and_nothing_else():
    recorder = record(worker)
    granted = {
        (action, resource)
        for statement in role_statements(recorder, "orders-task-role-policy")
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    queue, dlq = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-0a1b2c3" for name in ("orders", "orders-dlq"))
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders-idempotency-0a1b2c3"
    assert granted == {
        ("sqs:ReceiveMessage", queue),
        ("sqs:DeleteMessage", queue),
        ("sqs:ChangeMessageVisibility", queue),
        ("sqs:GetQueueAttributes", queue),
        ("sqs:SendMessage", dlq),
        ("dynamodb:GetItem", table),
        ("dynamodb:PutItem", table),
        ("dynamodb:UpdateItem", table),
        ("dynamodb:DeleteItem", table),
    }


def test_the_handler_gets_the_permissions_it_asks_for():
    wanted = Statement(actions=["s3:GetObject"], resources=["arn:aws:s3:::menu/*"])
    statements = role_statements(record(lambda: worker(statements=[wanted])), "orders-task-role-policy")
    assert {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::menu/*"]} in statements


def test_idempotency_can_be_turned_off():
    recorder = record(lambda: worker(idempotency_expires_hours=None))
    assert recorder.of_type("aws:dynamodb/table:Table") == []
    assert "IDEMPOTENCY_TABLE" not in environment_of(recorder)
    actions = [a for s in role_statements(recorder, "orders-task-role-policy") for a in s["Action"]]
    assert not [action for action in actions if action.startswith("dynamodb:")]


def test_alarms_can_be_turned_off():
    assert record(lambda: worker(alarms=False)).names("eda:observability:QueueWorkerAlarms") == []


def test_a_fifo_worker_uses_its_own_name_as_message_group():
    recorder = record(lambda: worker(queue=QueueArgs(fifo=True)))
    assert recorder.one("EventTarget").inputs["sqsTarget"] == {"messageGroupId": "orders"}
    recorder = record(lambda: worker(queue=QueueArgs(fifo=True), message_group_id="pizza"))
    assert recorder.one("EventTarget").inputs["sqsTarget"] == {"messageGroupId": "pizza"}


@pytest.mark.parametrize(("pattern", "expected"), [({"source": ["pizza.service.com"]}, True), (None, None)])
def test_a_fifo_queue_makes_deduplication_ids_where_a_rule_sends_to_it(pattern: Any, expected: bool | None):
    recorder = record(lambda: worker(queue=QueueArgs(fifo=True), event_pattern=pattern))
    queue = recorder.one("aws:sqs/queue:Queue", "orders").inputs
    assert queue.get("contentBasedDeduplication") is expected


def test_the_manifest_says_where_dead_letters_belong():
    texts: list[str] = []

    def program() -> None:
        orders = worker(policy=ScalingPolicy.QUEUE_DEPTH, min_tasks=1, max_tasks=4)
        orders.manifest().apply(texts.append)

    record(program)
    (text,) = texts
    assert len(text.encode()) < 4096
    manifest = PatternManifest.from_json(text)
    assert manifest.queue is not None
    assert [dlq.name for dlq in manifest.dead_letter_queues] == ["orders-dlq-0a1b2c3", "orders-undelivered-0a1b2c3"]
    assert manifest.dead_letter_queues[0].origin_arn == manifest.queue.arn
    assert manifest.dead_letter_queues[1].origin_arn is None
    assert manifest.scaling is not None
    assert manifest.scaling.policy == "queue-depth"
    assert manifest.alarms


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"batch_size": 11}, "batch_size is 11; allowed is a whole number from 1 to 10 messages"),
        ({"receive_wait_seconds": 0}, "receive_wait_seconds is 0; allowed is a whole number from 1 to 20 seconds"),
        ({"concurrency": 0}, "concurrency is 0; allowed is a whole number from 1 to 100 messages"),
        ({"idempotency_expires_hours": 0}, "idempotency_expires_hours is 0; allowed is a whole number from 1 to 8,760"),
        ({"oldest_message_seconds": 5}, "oldest_message_seconds is 5; allowed is a whole number from 60 to 1,209,600"),
        (
            {"container": ContainerArgs(image="i", environment={"QUEUE_URL": "x", "HANDLER": "y"})},
            "container sets HANDLER, QUEUE_URL, which the pattern owns; remove it",
        ),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: worker(**changes))
    assert str(caught.value).startswith(f"QueueWorker 'orders': {problem}")


def test_a_name_too_long_for_its_children_is_refused():
    with pytest.raises(InvalidNameError, match="29 characters, at most 28 are allowed"):
        record(lambda: worker("a" * 29))


@pytest.mark.parametrize("fifo", [False, True])
def test_it_runs_with_unknown_outputs(fifo: bool):
    def program() -> None:
        pulumi.export("manifest", worker(queue=QueueArgs(fifo=fifo)).manifest())

    assert len(record(program, preview=True).of_type("aws:ecs/service:Service")) == 1
