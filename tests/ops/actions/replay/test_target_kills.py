"""Replays to targets that are no queues, killed in the middle: nothing is lost, and what recognises a repeat has none."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.child import Job, exit_code, forked, run
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.actions.replay.targets import (
    FailedRule,
    api_destination,
    cluster,
    number_of,
    state_machine,
    tasks,
    web_server,
)
from tests.ops.scene import Scene

pytestmark = pytest.mark.soak

_LANES = 2


def _job(scene: Scene, dlq: str) -> Job:
    return Job(
        environment=scene.environment,
        dlq=dlq,
        to=None,
        journals=scene.state / "replay",
        lanes=_LANES,
        result=scene.state.parent / "report.json",
    )


def _kill_after(scene: Scene, dlq: str, count: Callable[[], int], more: int) -> None:
    """Start a run, and SIGKILL it when `count` has grown by so many."""
    before = count()
    process = forked(_job(scene, dlq))
    while process.is_alive() and count() < before + more:
        time.sleep(0.002)
    process.kill()
    assert exit_code(process, 60) == -signal.SIGKILL


def _finish(scene: Scene, dlq: str) -> int:
    """Run again until the queue is empty; how many duplicates were announced."""
    announced = 0
    deadline = time.monotonic() + 120
    while sum(scene.counts(dlq)) and time.monotonic() < deadline:
        report = run(_job(scene, dlq))
        assert not report["error"], report
        announced += report["duplicates_possible"]
    assert scene.counts(dlq) == (0, 0)
    return announced


def test_a_killed_replay_to_a_state_machine_starts_no_execution_twice(scene: Scene) -> None:
    rule = FailedRule(scene, state_machine(scene))
    rule.dead_letter(range(30))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        # GIVEN kills while the answers are lost: AWS has started executions that the run knows nothing of
        for _ in range(3):
            proxy.inject("StartExecution", Fault.DROPPED_AFTER, times=None)
            _kill_after(scene, rule.dlq, lambda: proxy.faults[Fault.DROPPED_AFTER], 4)
            proxy.heal()
        announced = _finish(scene, rule.dlq)

    states = scene.account.client("stepfunctions")
    executions = states.list_executions(stateMachineArn=rule.target_arn, maxResults=1000)["executions"]
    inputs = [json.loads(states.describe_execution(executionArn=one["executionArn"])["input"]) for one in executions]
    assert Counter(one["detail"]["data"]["number"] for one in inputs) == dict.fromkeys(range(30), 1)
    assert announced == 0


def test_a_killed_replay_to_a_cluster_runs_no_task_twice(scene: Scene) -> None:
    arn, target = cluster(scene)
    rule = FailedRule(scene, arn, target)
    rule.dead_letter(range(20))
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("RunTask", Fault.DROPPED_AFTER, times=None)
        _kill_after(scene, rule.dlq, lambda: proxy.faults[Fault.DROPPED_AFTER], 4)
        proxy.heal()
        announced = _finish(scene, rule.dlq)

    assert Counter(map(number_of, tasks(scene))) == dict.fromkeys(range(20), 1)
    assert announced == 0


def test_a_killed_replay_to_an_api_loses_nothing(scene: Scene) -> None:
    with web_server(200, seconds=0.05) as api:
        rule = FailedRule(scene, api_destination(scene, f"{api.url}/orders"))
        rule.dead_letter(range(60))
        kills = 3
        for _ in range(kills):
            _kill_after(scene, rule.dlq, lambda: len(api.requests), 7)
        _finish(scene, rule.dlq)

    arrived = Counter(body["detail"]["data"]["number"] for body in api.bodies)
    assert set(arrived) == set(range(60))
    # Each lane has one request at a time.
    assert arrived.total() - 60 <= kills * _LANES
    assert rule.nobody_else_got_anything()


def test_a_killed_replay_into_a_stream_loses_nothing(scene: Scene) -> None:
    kinesis = scene.account.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
    rule = FailedRule(scene, arn)
    rule.dead_letter(range(100))
    kills = 2
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        for _ in range(kills):
            proxy.inject("PutRecords", Fault.DROPPED_AFTER, times=None)
            _kill_after(scene, rule.dlq, lambda: proxy.faults[Fault.DROPPED_AFTER], 2)
            proxy.heal()
        _finish(scene, rule.dlq)

    shard = kinesis.list_shards(StreamName="orders")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    arrived = Counter(json.loads(record["Data"])["detail"]["data"]["number"] for record in records)
    assert set(arrived) == set(range(100))
    # Every request whose answer was lost had acted; each carried ten records at most.
    assert arrived.total() - 100 <= 10 * proxy.faults[Fault.DROPPED_AFTER]
    assert rule.nobody_else_got_anything()
