"""`ops scale --measure`: the processing time from metrics that the embedded AWS holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.actions.scale.measure import measure_processing
from ops.actions.scale.state import ScaledService
from ops.aws import Aws
from ops.errors import OpsError, UsageError
from ops.exit_codes import ExitCode
from tests.ops.actions.scale.test_command import _Canned, _pattern
from tests.ops.scene import Scene

NOW = datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Canned]:
    canned = _Canned(monkeypatch)
    yield canned
    canned.done()


def _publish(scene: Scene, minutes: Sequence[dict[str, int]]) -> None:
    """What AWS would publish of `orders`, a dict for each minute from an hour ago on."""
    cloudwatch = scene.account.client("cloudwatch")
    queue = [{"Name": "QueueName", "Value": "orders"}]
    service = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "orders"}]
    names = {
        "deleted": "NumberOfMessagesDeleted",
        "visible": "ApproximateNumberOfMessagesVisible",
        "in_flight": "ApproximateNumberOfMessagesNotVisible",
    }
    for number, minute in enumerate(minutes):
        at = NOW - timedelta(minutes=60 - number)
        data: list[dict[str, Any]] = [
            {"MetricName": names[key], "Dimensions": queue, "Timestamp": at, "Value": value}
            for key, value in minute.items()
            if key in names
        ]
        cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=data)
        samples = [1.5] * int(minute.get("running", 0))
        if samples:
            one = {"MetricName": "CPUUtilization", "Dimensions": service, "Timestamp": at, "Values": samples}
            cloudwatch.put_metric_data(Namespace="AWS/ECS", MetricData=[one])


def _service(scene: Scene) -> ScaledService:
    return ScaledService("shop", "orders", scene.queue("orders"))


def test_busy_minutes_tell_what_a_task_spends_on_a_message(scene: Scene) -> None:
    service = _service(scene)
    empty = {"deleted": 10, "visible": 0, "in_flight": 1, "running": 3}
    busy = {"deleted": 90, "visible": 500, "in_flight": 30, "running": 3}
    _publish(scene, [empty, empty, *[busy] * 5, empty])

    found = measure_processing(Aws(region=scene.account.region), service)

    # Three tasks did 90 messages in a minute. The first busy minute began with an empty queue, and does not count.
    assert (found.processing_seconds, found.minutes, found.messages, found.upper_bound) == (2.0, 4, 360, False)


def test_without_busy_minutes_those_in_flight_give_a_bound(scene: Scene) -> None:
    service = _service(scene)
    _publish(scene, [{"deleted": 30, "visible": 0, "in_flight": 2, "running": 2}] * 4)

    found = measure_processing(Aws(region=scene.account.region), service)

    assert (found.processing_seconds, found.minutes, found.messages, found.upper_bound) == (4.0, 4, 120, True)


def test_without_traffic_there_is_nothing_to_measure(scene: Scene) -> None:
    aws = Aws(region=scene.account.region)
    with pytest.raises(OpsError, match="fewer than 3 minutes in which orders processed messages of orders"):
        measure_processing(aws, _service(scene))
    with pytest.raises(UsageError, match="needs the queue"):
        measure_processing(aws, ScaledService("shop", "orders"))


def test_the_command_sets_the_target_from_what_it_measured(scene: Scene, canned: _Canned) -> None:
    _pattern(scene)
    _publish(scene, [{"deleted": 90, "visible": 500, "in_flight": 30, "running": 3}] * 5)
    canned.service(3, 3)
    canned.scaling()

    ran = scene.run(
        *["--stack", "dev", "scale", "orders", "--latency", "300", "--measure", "--dry-run", "--output", "json"]
    )

    assert ran.code == ExitCode.OK, ran.stderr
    assert "a task spends 2 s on a message, measured over 4 minutes and 360 messages" in ran.stderr
    assert ran.last["measured_processing_seconds"] == 2.0
    assert [(one["setting"], one["after"]) for one in ran.last["changes"]] == [("target", 150)]


def test_measured_alone_it_changes_nothing(scene: Scene, canned: _Canned) -> None:
    _pattern(scene)
    _publish(scene, [{"deleted": 30, "visible": 0, "in_flight": 2, "running": 2}] * 4)
    canned.service(3, 3)
    canned.scaling()

    ran = scene.run("--stack", "dev", "scale", "orders", "--measure")

    assert ran.code == ExitCode.OK, ran.stderr
    assert "a task spends at most 4 s on a message" in ran.stderr
    assert "measured processing seconds  4.0" in ran.stdout


def test_measuring_and_giving_exclude_each_other_and_failures_change_nothing(scene: Scene) -> None:
    _pattern(scene)
    both = scene.run(*["--stack", "dev", "scale", "orders", "--latency", "60", "--processing", "2", "--measure"])
    none = scene.run("--stack", "dev", "scale", "orders", "--latency", "60", "--measure")
    other = scene.run("scale", "--service", "shop/orders", "--latency", "60", "--measure")

    assert (both.code, none.code, other.code) == (ExitCode.USAGE, ExitCode.ERROR, ExitCode.USAGE)
    assert "exclude each other" in both.stderr
    assert "or give --processing" in none.stderr
    assert "needs the queue" in other.stderr
    assert json.dumps(none.stdout) == '""'
