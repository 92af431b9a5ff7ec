from __future__ import annotations

import json
from typing import Any

import pytest

from components.config import SettingsError, parse
from components.config.broker_worker import BrokerWorkerSettings
from contracts.brokers import BrokerEngine
from tests.policies import walk_policies
from tests.program.support import run_program, settings_of

MINIMAL: dict[str, Any] = {"pattern": "broker-worker", "handler": {"image": "registry.example/worker:1"}}


def orders(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL, **changes}


def settings(pattern: dict[str, Any], **stack: Any) -> BrokerWorkerSettings:
    texts = {"patterns": json.dumps({"orders": pattern}), **{key: json.dumps(value) for key, value in stack.items()}}
    found = parse(texts, "test").patterns["orders"]
    assert isinstance(found, BrokerWorkerSettings)
    return found


def problems(pattern: dict[str, Any], **stack: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        settings(pattern, **stack)
    return caught.value.problems


def test_the_defaults():
    found = settings(orders())
    assert (found.broker.engine, found.broker.version, found.broker.multi_az) == (BrokerEngine.RABBITMQ, None, False)
    assert (found.scaling.min, found.scaling.max, found.queue.max_receive_count) == (1, 10, 5)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (
            orders(broker={"version": "3.12"}),
            "patterns.orders.broker: version is '3.12'; allowed for rabbitmq: 3.13, 4.2",
        ),
        (
            orders(broker={"engine": "activemq", "instance_type": "mq.m7g.large"}),
            "patterns.orders.broker: instance_type is 'mq.m7g.large'; allowed for activemq 5.19: mq.t3.micro, "
            "mq.m5.large, mq.m5.xlarge, mq.m5.2xlarge, mq.m5.4xlarge",
        ),
        (
            orders(broker={"name": "shop", "multi_az": True}),
            "patterns.orders.broker: multi_az: set at eda:brokers, where the broker 'shop' is; remove it here",
        ),
        (
            orders(broker={"name": "shop"}),
            "patterns.orders.broker.name: there is no broker 'shop'; allowed: there are none; add it to eda:brokers",
        ),
        (
            orders(queue={"ordered": True}, handler={**MINIMAL["handler"], "concurrency": 4}),
            "patterns.orders: queue.ordered with handler.concurrency 4: two messages at a time have no order; set "
            "concurrency to 1",
        ),
        (
            orders(scaling={"min": 5, "max": 2}),
            "patterns.orders.scaling.max: is 2, less than min (5); lower min or raise max",
        ),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_every_mistake_is_one_line(pattern: dict[str, Any], line: str):
    assert problems(pattern) == (line,)


def test_a_version_without_quotes_is_explained():
    (line,) = problems(orders(broker={"version": 3.13}))
    assert line.startswith(
        "patterns.orders.broker.version: got 3.13; allowed: a text, in quotes (rabbitmq: 3.13 or 4.2;"
    )


def test_the_program_deploys_it_with_a_broker_of_its_own_or_a_shared_one():
    config = settings_of("dev")
    config["eda:brokers"] = {"shop": {"engine": "activemq", "instance_type": "mq.t3.micro"}}
    config["eda:patterns"] = {
        "orders": orders(),
        "refunds": orders(broker={"name": "shop"}),
        "stock": orders(broker={"name": "shop"}),
    }
    recorder = run_program(config)
    assert recorder.names("aws:mq/broker:Broker") == ["orders-broker", "shop-broker"]
    assert recorder.names("aws:ecs/service:Service") == ["orders", "refunds", "stock"]
    assert recorder.names("aws:ssm/parameter:Parameter") == ["orders-manifest", "refunds-manifest", "stock-manifest"]
    assert walk_policies(recorder) == []
    assert run_program(config, preview=True).children() == recorder.children()
