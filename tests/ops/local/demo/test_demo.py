"""`ops local demo` on a small queue worker: real tasks, a real dead-letter queue, a real replay."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from contracts.manifest import PatternManifest, parameter_name
from ops.local.account import local_account
from ops.local.demo.effects import outcomes
from ops.local.demo.orders import make_orders
from ops.local.demo.queue_worker import QueueWorkerDemo
from ops.local.demo.stage import Stage
from tests.emulator import free_port
from tests.ops.local.demo.small_stack import create_project
from tests.ops.local.project import Project


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = create_project(tmp_path_factory.mktemp("demo").resolve() / "checkout", free_port())
    up = project.ops("up")
    assert up.returncode == 0, up.stderr
    yield project
    project.ops("down")
    assert project.processes() == []


@pytest.fixture
def stage(running: Project, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in local_account(running.state).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return Stage.enter(running.home, running.state, lambda name, text: None)


def _manifest(stage: Stage) -> PatternManifest:
    parameter = stage.aws.ssm().get_parameter(Name=parameter_name("local", "orders"))["Parameter"]
    return PatternManifest.from_json(parameter["Value"])


def _handled(project: Project) -> list[int]:
    """How often the workers logged the handling of each order so far."""
    keys = set()
    for path in project.home.logs.glob("*.log"):
        keys |= set(re.findall(r"demo-[0-9a-f]{6}-[a-z]+-[0-9]+", path.read_text()))
    return [outcome["handled"] for outcome in outcomes(project.home, "orders", keys).values()]


def test_every_order_takes_its_path(running: Project) -> None:
    begun = time.monotonic()
    demo = running.ops("demo", "--output", "json")
    took = time.monotonic() - begun

    assert demo.returncode == 0, demo.stdout + demo.stderr
    (row,) = json.loads(demo.stdout)
    assert (row["name"], row["pattern"], row["path"]) == ("orders", "queue-worker", "bus → rule → queue → task")
    assert (row["sent"], row["processed"], row["dead_lettered"], row["replayed"]) == (53, 43, 3, 3)
    assert row["ok"] is True
    counted = _handled(running)
    assert counted == [1] * 43  # the copies too: once
    assert "5 copies ignored, 5 not for this rule" in row["note"]
    assert 0 < row["seconds"] < took


def test_a_second_run_has_poison_of_its_own_and_prints_a_table(running: Project) -> None:
    # The handler of the first run's end is still deployed, and must not know this run's poison.
    demo = running.ops("demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "dead lettered" in demo.stdout
    assert "orders" in demo.stdout


def test_what_does_not_arrive_is_not_ok(stage: Stage) -> None:
    # GIVEN orders that the rule does not route
    orders = make_orders("lost", good=2, copies=0, strangers=0, poison=0)
    elsewhere = make_orders("elsewhere", good=0, copies=0, strangers=2, poison=0)
    lost = type(orders)(good=elsewhere.strangers, copies=(), strangers=(), poison=(), special=orders.special)

    # WHEN
    row = QueueWorkerDemo(stage, _manifest(stage), lost, step_seconds=0.5).run()

    # THEN
    assert row.ok is False
    assert row.processed == 0
    assert "not all orders were processed or dead-lettered within 0.5 s" in row.note
    assert "2 orders were not handled" in row.note


def test_an_order_of_another_region_that_reaches_the_worker_is_not_ok(stage: Stage) -> None:
    orders = make_orders("near", good=2, copies=0, strangers=0, poison=0)
    routed = type(orders)(good=orders.good[:1], copies=(), strangers=orders.good[1:], poison=(), special=orders.special)

    row = QueueWorkerDemo(stage, _manifest(stage), routed).run()

    assert row.ok is False
    assert "1 orders of another region reached the worker" in row.note


def test_a_pattern_with_another_handler_is_left_out(running: Project, stage: Stage) -> None:
    manifest = _manifest(stage)
    name = parameter_name("local", "orders")
    other = json.loads(manifest.to_json()) | {"pattern": "of-a-later-day"}
    stage.aws.ssm().put_parameter(Name=name, Value=json.dumps(other), Type="String", Overwrite=True)
    try:
        demo = running.ops("demo")
    finally:
        stage.aws.ssm().put_parameter(Name=name, Value=manifest.to_json(), Type="String", Overwrite=True)

    assert demo.returncode == 1
    assert "orders: left out: there is no demo of of-a-later-day" in demo.stderr
    assert "no pattern of the local stack has a demo" in demo.stderr
