"""The whole program with streams: one shared by two applications, one filled from the bus."""

from __future__ import annotations

import copy
import json

import pytest

from contracts.manifest import PatternManifest
from tests.policies import walk_policies
from tests.program.support import run_program, settings_of
from tests.recorder import Recorder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def program(*, preview: bool = False) -> Recorder:
    config = copy.deepcopy(settings_of("dev"))
    handler = {"function": "worker.handlers.pizza:handle", "image": "registry.example/worker:1"}
    config["eda:streams"] = {"clicks": {"mode": "provisioned", "shards": 2, "retention_hours": 48}}
    config["eda:encryption"] = {"customer_managed_key": True}
    config["eda:alarms"] = {"topic": True}
    config["eda:patterns"] = {
        "billing": {"pattern": "stream-worker", "handler": handler, "stream": {"name": "clicks"}},
        "search": {
            "pattern": "stream-worker",
            "handler": handler,
            "stream": {"name": "clicks"},
            "reading": {"enhanced_fan_out": True, "start": "latest"},
        },
        "audit": {
            "pattern": "stream-worker",
            "handler": handler,
            "events": {"source": ["pizza.service.com"]},
            "partition_key": "$.detail.data.channel-id",
            "scaling": {"max": 2},
        },
    }
    return run_program(config, preview=preview)


def test_two_applications_share_one_stream_and_a_third_is_fed_by_the_bus():
    recorder = program()
    assert recorder.names("aws:kinesis/stream:Stream") == ["audit", "clicks"]
    assert recorder.one("aws:kinesis/stream:Stream", "clicks").inputs["shardCount"] == 2
    manifests = {
        item.name: PatternManifest.from_json(item.inputs["value"])
        for item in recorder.of_type("aws:ssm/parameter:Parameter")
    }
    streams = {name: manifest.stream.name for name, manifest in manifests.items() if manifest.stream}
    assert streams == {
        "audit-manifest": "audit-0a1b2c3",
        "billing-manifest": "clicks-0a1b2c3",
        "search-manifest": "clicks-0a1b2c3",
    }
    (target,) = recorder.of_type("EventTarget")
    assert target.inputs["arn"].endswith("stream/audit-0a1b2c3")
    assert walk_policies(recorder) == []


def test_everybody_is_told_and_everything_is_encrypted():
    recorder = program()
    alarms = [item for item in recorder.of_type("MetricAlarm") if "Not a fault" not in item.inputs["alarmDescription"]]
    # Three of each application, one of its registered consumer, two of the rule, three of each stream.
    assert len(alarms) == 3 * 3 + 1 + 2 + 2 * 3
    assert all(item.inputs["alarmActions"] for item in alarms)
    assert all("kms:" in item.inputs["kmsKeyId"] for item in recorder.of_type("aws:kinesis/stream:Stream"))
    for policy in recorder.of_type("aws:sqs/queuePolicy:QueuePolicy"):
        assert json.loads(policy.inputs["policy"])["Statement"][0]["Sid"] == "DenyWithoutTls"


def test_a_preview_registers_the_same():
    assert program(preview=True).children() == program().children()
