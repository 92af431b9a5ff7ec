from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from components.config import SettingsError, parse
from components.config.fan_out import FanOutSettings
from tests.emulator import ROOT
from tests.program.support import run_program, settings_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WORKER: dict[str, Any] = {"handler": {"function": "shop.kitchen:handle", "image": "shop:1"}}
FAN_OUT: dict[str, Any] = {
    "pattern": "fan-out",
    "events": {"source": ["pizza.service.com"]},
    "workers": {
        "kitchen": {**WORKER, "filter": {"body": {"detail": {"data": {"region": ["AU"]}}}}},
        "billing": {**WORKER, "scaling": {"min": 1, "max": 3}},
    },
}


def problems(change: dict[str, Any]) -> Sequence[str]:
    with pytest.raises(SettingsError) as caught:
        parse({"patterns": json.dumps({"orders": {**copy.deepcopy(FAN_OUT), **change}})}, "dev")
    return caught.value.problems


def test_a_stack_with_a_fan_out_publishes_a_manifest_for_each_worker():
    config = settings_of("dev")
    config["eda:patterns"] = {"shop": FAN_OUT}
    recorder = run_program(config)
    published = {
        item.inputs["name"]: json.loads(item.inputs["value"])
        for item in recorder.of_type("aws:ssm/parameter:Parameter")
    }
    assert set(published) == {f"/eda/test/patterns/{name}" for name in ("shop", "shop-kitchen", "shop-billing")}
    assert published["/eda/test/patterns/shop-billing"]["scaling"]["max"] == 3


def test_a_pattern_and_a_worker_cannot_share_a_name():
    config = settings_of("dev")
    config["eda:patterns"] = {"shop": FAN_OUT, "shop-kitchen": config["eda:patterns"]["orders"]}
    with pytest.raises(Exception, match="shop-kitchen"):
        run_program(config)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"workers": {}}, "patterns.orders.workers"),
        ({"workers": {"Kitchen": WORKER}}, "patterns.orders.workers"),
        ({"events": {"source": "x"}}, "patterns.orders.events.source: expected a list of values"),
        ({"via": "queue"}, "patterns.orders.via: got 'queue'; allowed: topic"),
        ({"via": "bus"}, "patterns.orders: workers kitchen have a filter, which needs via: topic"),
        ({"topic": {"fifo": True}}, "patterns.orders: topic.fifo with events"),
        ({"topic": {"high_throughput": True}}, "patterns.orders.topic: high_throughput needs fifo: true"),
        (
            {"workers": {"kitchen": {**WORKER, "queue": {"fifo": True}}}},
            "patterns.orders: workers kitchen have queue.fifo, which needs topic.fifo: true",
        ),
        (
            {"workers": {"kitchen": {**WORKER, "filter": {}}}},
            "patterns.orders.workers.kitchen.filter: a filter has either body or attributes",
        ),
        (
            {"workers": {"kitchen": {**WORKER, "filter": {"body": {"detail": {"like": [{"sql": "x"}]}}}}}},
            "patterns.orders.workers.kitchen.filter.body.detail.like[0]: unknown operator 'sql'",
        ),
        (
            {"workers": {"kitchen": {**WORKER, "scaling": {"min": 5, "max": 1}}}},
            "patterns.orders.workers.kitchen.scaling.max: is 1, less than min (5)",
        ),
    ],
    ids=str,
)
def test_mistakes_are_named_by_their_path(change: dict[str, Any], problem: str):
    assert any(line.startswith(problem) for line in problems(change)), problems(change)


def test_the_example_of_the_documentation_is_accepted():
    (example,) = re.findall(r"```yaml\nconfig:\n(.*?)```", (ROOT / "docs" / "fan-out.md").read_text(), re.DOTALL)
    config = {key.removeprefix("eda:"): json.dumps(value) for key, value in yaml.safe_load(example).items()}
    settings = parse(config, "dev").patterns["shop"]
    assert isinstance(settings, FanOutSettings)
    assert set(settings.workers) == {"kitchen", "billing"}
