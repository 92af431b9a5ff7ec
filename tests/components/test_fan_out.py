from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.network import Network
from components.patterns.fan_out import FanOut, FanOutArgs, FanOutWorker, Via
from components.patterns.queue_worker import QueueWorkerArgs
from components.routers.event_bus import EventBus
from components.routers.subscriptions import Filter
from components.routers.topic import TopicArgs
from components.stores.queue import QueueArgs
from contracts.manifest import Holds, PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVENTS = {"source": ["pizza.service.com"]}
NORTH = Filter(policy={"detail": {"data": {"region": ["NZ"]}}})


def fan_out(
    names: tuple[str, ...] = ("kitchen", "billing", "stats"),
    *,
    fifo: Any = False,
    filters: Any = None,
    own_pattern: Any = None,
    manifests: Any = None,
    **args: Any,
) -> Callable[[], None]:
    def program() -> None:
        bus, network, cluster = EventBus("events"), Network("network"), Cluster("cluster")
        worker = QueueWorkerArgs(
            network=network,
            cluster=cluster,
            bus=bus,
            container=ContainerArgs(image="worker:1"),
            queue=QueueArgs(fifo=fifo),
            event_pattern=own_pattern,
        )
        workers = {name: FanOutWorker(worker=worker, filter=(filters or {}).get(name)) for name in names}
        pattern = FanOut("orders", FanOutArgs(**{"bus": bus, "workers": workers, "event_pattern": EVENTS, **args}))
        if manifests is not None:
            pattern.manifest().apply(manifests.append)
            for part in pattern.workers.values():
                part.manifest().apply(manifests.append)

    return program


def subscriptions(recorder: Recorder) -> dict[str, Any]:
    return {item.name: item.inputs for item in recorder.of_type("TopicSubscription")}


def test_one_topic_and_a_queue_with_its_workers_for_each():
    recorder = record(fan_out(filters={"billing": NORTH}))
    assert recorder.names("aws:ecs/service:Service") == ["orders-billing", "orders-kitchen", "orders-stats"]
    assert recorder.names("aws:cloudwatch/eventRule:EventRule") == ["orders"]
    target = recorder.one("EventTarget").inputs
    assert target["arn"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:orders-topic-0a1b2c3"
    found = subscriptions(recorder)
    assert set(found) == {"orders-topic-orders-billing", "orders-topic-orders-kitchen", "orders-topic-orders-stats"}
    assert all(item["rawMessageDelivery"] for item in found.values())
    assert json.loads(found["orders-topic-orders-billing"]["filterPolicy"]) == NORTH.policy
    assert found["orders-topic-orders-billing"]["filterPolicyScope"] == "MessageBody"
    assert "filterPolicy" not in found["orders-topic-orders-kitchen"]


def test_every_arrow_has_a_dead_letter_queue_and_every_queue_one_policy():
    recorder = record(fan_out())
    queues = recorder.names("aws:sqs/queue:Queue")
    assert queues == sorted(
        ["orders-undelivered"]
        + [f"orders-{w}{end}" for w in ("billing", "kitchen", "stats") for end in ("", "-dlq")]
        + [f"orders-topic-orders-{w}-undelivered" for w in ("billing", "kitchen", "stats")]
    )
    assert len(recorder.of_type("aws:sqs/queuePolicy:QueuePolicy")) == len(queues)
    for item in subscriptions(recorder).values():
        assert json.loads(item["redrivePolicy"])["deadLetterTargetArn"]
    _, allow = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", "orders-kitchen-policy").inputs["policy"])
    assert allow["Principal"] == {"Service": "sns.amazonaws.com"}


def test_a_fifo_topic_has_no_rule_and_fifo_queues_all_the_way():
    recorder = record(fan_out(fifo=True, topic=TopicArgs(fifo=True), event_pattern=None))
    assert recorder.of_type("aws:cloudwatch/eventRule:EventRule") == []
    assert recorder.one("aws:sns/topic:Topic").inputs["fifoTopic"] is True
    assert all(item.inputs["fifoQueue"] for item in recorder.of_type("aws:sqs/queue:Queue"))


def test_via_the_bus_the_rule_delivers_to_every_queue():
    recorder = record(fan_out(tuple("abcdefg"), via=Via.BUS))
    assert recorder.of_type("aws:sns/topic:Topic") == []
    assert recorder.names("aws:cloudwatch/eventRule:EventRule") == ["orders", "orders-2"]
    assert len(recorder.of_type("EventTarget")) == 7
    assert walk_policies(recorder) == []


def test_via_the_bus_a_fifo_queue_has_a_group_of_its_name():
    recorder = record(fan_out(("kitchen",), via=Via.BUS, fifo=True))
    assert recorder.one("EventTarget").inputs["sqsTarget"] == {"messageGroupId": "orders-kitchen"}
    assert recorder.one("aws:sqs/queue:Queue", "orders-kitchen").inputs["contentBasedDeduplication"] is True


def test_alarms_watch_what_could_not_be_delivered():
    names = record(fan_out()).names("aws:cloudwatch/metricAlarm:MetricAlarm")
    own = {name for name in names if name.startswith("orders-") and name.endswith(("delivered", "invocations"))}
    assert own == {
        "orders-not-delivered",
        "orders-failed-invocations",
        *(f"orders-{worker}-not-delivered" for worker in ("billing", "kitchen", "stats")),
    }
    assert not [name for name in record(fan_out(alarms=False)).names("MetricAlarm") if name.endswith("not-delivered")]


def test_the_manifests_tell_ops_where_everything_belongs():
    texts: list[str] = []
    record(fan_out(manifests=texts))
    documents = {manifest.name: manifest for manifest in map(PatternManifest.from_json, texts)}
    assert set(documents) == {"orders", "orders-kitchen", "orders-billing", "orders-stats"}
    whole = documents["orders"]
    assert whole.pattern == "fan-out"
    assert whole.topic is not None
    assert whole.topic.arn.endswith(":orders-topic-0a1b2c3")
    assert [(item.holds, item.origin_arn) for item in whole.dead_letter_queues] == [
        *(
            (Holds.UNDELIVERED_MESSAGES, f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-{worker}-0a1b2c3")
            for worker in ("kitchen", "billing", "stats")
        ),
        (Holds.UNDELIVERED_EVENTS, None),
    ]
    kitchen = documents["orders-kitchen"]
    assert kitchen.rules == ()
    assert [item.holds for item in kitchen.dead_letter_queues] == [Holds.MESSAGES]
    assert all(len(text) < 4096 for text in texts)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"names": ()}, "workers is empty; name at least one"),
        ({"own_pattern": EVENTS}, "workers.kitchen has an event pattern of its own"),
        ({"fifo": True}, "workers.kitchen.queue is FIFO and the topic is not"),
        ({"via": Via.BUS, "filters": {"kitchen": NORTH}}, "workers.kitchen has a filter, which only a topic applies"),
        ({"topic": TopicArgs(fifo=True)}, "EventBridge cannot publish to a FIFO topic"),
        ({"via": Via.BUS, "event_pattern": None}, "there is nothing to fan out without an event pattern"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(fan_out(options.pop("names", ("kitchen",)), **options))
    assert problem in str(caught.value)


@pytest.mark.parametrize("fifo", [False, True])
def test_policies_pass_the_walk_and_a_preview_runs(fifo: bool):
    options: dict[str, Any] = {"fifo": fifo, "topic": TopicArgs(fifo=fifo), "event_pattern": None if fifo else EVENTS}
    recorder = record(fan_out(**options))
    assert walk_policies(recorder) == []
    assert record(fan_out(**options), preview=True).children() == recorder.children()
