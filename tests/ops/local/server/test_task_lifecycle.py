"""Stopping a task."""

from __future__ import annotations

from tests.ops.local.server.helpers import Fargate, wait_until

_POLITE = "import signal,sys,time; signal.signal(15, lambda *a: sys.exit(7)); print('ready'); time.sleep(60)"
_STUBBORN = "import signal,time; signal.signal(15, lambda *a: print('no')); print('ready')\nwhile True: time.sleep(60)"


def _running(fargate: Fargate, code: str, **container: object) -> str:
    arn = fargate.run(fargate.define("stop", [code], image="python", **container))
    fargate.wait_for(arn, "RUNNING")
    wait_until(lambda: "ready" in fargate.log(arn), "the program is up")
    return arn


def test_stop_task_sends_sigterm_and_keeps_the_exit_code(fargate: Fargate) -> None:
    arn = _running(fargate, _POLITE)
    answer = fargate.ecs.stop_task(cluster=fargate.cluster, task=arn, reason="enough")
    assert answer["task"]["desiredStatus"] == "STOPPED"
    task = fargate.wait_for(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 7


def test_sigkill_follows_after_the_stop_timeout_and_not_before(fargate: Fargate) -> None:
    arn = _running(fargate, _STUBBORN, stopTimeout=2)
    answer = fargate.ecs.stop_task(cluster=fargate.cluster, task=arn)
    assert answer["task"]["lastStatus"] == "STOPPING"
    task = fargate.wait_for(arn, "STOPPED")
    assert "no" in fargate.log(arn), "the program has seen SIGTERM"
    assert task["containers"][0]["exitCode"] == 137
    assert (task["stoppedAt"] - task["stoppingAt"]).total_seconds() >= 1


def test_stopping_twice_is_stopping_once(fargate: Fargate) -> None:
    arn = _running(fargate, _POLITE)
    for reason in ("first", "second"):
        fargate.ecs.stop_task(cluster=fargate.cluster, task=arn, reason=reason)
    assert fargate.wait_for(arn, "STOPPED")["stoppedReason"] == "first"
