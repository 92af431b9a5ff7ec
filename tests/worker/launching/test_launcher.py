"""The launcher against an ECS that throttles, has no capacity, fails to start tasks and forgets them."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts import launching as names
from contracts.events import Event
from worker.errors import NonRetryableError, SettingsError
from worker.launching import LargeEvents, Launcher, LaunchSettings, TaskFailedError, read
from worker.launching.pace import Pace
from worker.launching.watching import Watcher

SETTINGS = LaunchSettings(
    cluster="c", task_definition="t", container="worker", subnets=("s",), security_groups=("g",), launches_per_second=20
)
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "RunTask")
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
NO_CAPACITY = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}


def event(key: str = "a", **data: Any) -> Event:
    return Event(source="s", detail_type="T", idempotency_key=key, data=data)


def stopped(exit_code: int | None = 0, stop_code: str = "EssentialContainerExited") -> dict[str, Any]:
    return {"lastStatus": "STOPPED", "stopCode": stop_code, "containers": [{"exitCode": exit_code}]}


class Ecs:
    """Answers RunTask from a script, then with tasks; each task ends as its own script says, else well."""

    def __init__(self, answers: list[Any] | None = None, ends: list[Any] | None = None) -> None:
        self.answers = answers or []
        self.ends = ends or []
        self.runs: list[dict[str, Any]] = []
        self.tasks: dict[str, Any] = {}
        self.running: dict[str, list[str]] = {}
        self.looks: list[int] = []
        self.lock = threading.Lock()

    def list_tasks(self, *, cluster: str, startedBy: str) -> dict[str, Any]:  # noqa: N803
        return {"taskArns": self.running.get(startedBy, [])}

    def run_task(self, **request: Any) -> dict[str, Any]:
        with self.lock:
            self.runs.append(request)
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return dict(answer)
            arn = f"arn:{len(self.runs)}"
            self.tasks[arn] = self.ends.pop(0) if self.ends else stopped()
            return {"tasks": [{"taskArn": arn}], "failures": []}

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        self.looks.append(len(tasks))
        found = {arn: self.tasks[arn] for arn in tasks if self.tasks.get(arn)}
        missing = [{"arn": arn, "reason": "MISSING"} for arn in tasks if arn not in found]
        return {"tasks": [{"taskArn": arn, **task} for arn, task in found.items()], "failures": missing}


def launcher(ecs: Ecs, **changes: Any) -> Launcher:
    watcher = Watcher(ecs, "c", look_seconds=0.005)  # type: ignore[arg-type]  # the calls that are used
    arguments = {"prefix": "photos", "watcher": watcher, "sleep": lambda _: None, **changes}
    return Launcher(ecs, SETTINGS, **arguments)  # type: ignore[arg-type]


def test_the_task_gets_the_event_and_is_found_again_by_its_key():
    ecs = Ecs()
    assert launcher(ecs).run(event(size=1)) == "arn:1"
    (request,) = ecs.runs
    (override,) = request["overrides"]["containerOverrides"]
    assert override["name"] == "worker"
    assert Event.from_json(override["environment"][0]["value"]).data == {"size": 1}
    assert request["startedBy"].startswith("photos/")
    assert request["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert request["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    launcher(other := Ecs()).run(event("b"))
    assert other.runs[0]["startedBy"] != request["startedBy"]


def test_throttling_and_missing_capacity_use_up_nothing():
    ecs = Ecs([THROTTLED, NO_CAPACITY, {"tasks": [], "failures": []}, THROTTLED])
    assert launcher(ecs).run(event()) == "arn:5"


@pytest.mark.parametrize("stop_code", ["TaskFailedToStart", "SpotInterruption", "TerminationNotice"])
def test_a_task_that_did_not_start_or_was_taken_away_is_run_again(stop_code: str):
    ecs = Ecs(ends=[stopped(None, stop_code)])
    assert launcher(ecs).run(event()) == "arn:2"


def test_a_task_that_ecs_has_forgotten_is_run_again():
    ecs = Ecs(ends=[{}])
    assert launcher(ecs).run(event()) == "arn:2"


def test_a_task_that_failed_is_the_queues_to_repeat():
    with pytest.raises(TaskFailedError, match="exit code 1"):
        launcher(ecs := Ecs(ends=[stopped(1)])).run(event())
    assert len(ecs.runs) == 1
    with pytest.raises(TaskFailedError, match="exit code None"):
        launcher(Ecs(ends=[stopped(None)])).run(event())


def test_exit_code_4_is_for_the_dead_letter_queue():
    with pytest.raises(NonRetryableError, match="no retry can help"):
        launcher(Ecs(ends=[stopped(4)])).run(event())


def test_a_task_of_a_killed_predecessor_is_adopted():
    ecs = Ecs()
    launcher(ecs).run(event())
    ecs.running[ecs.runs[0]["startedBy"]] = ["arn:1"]
    assert launcher(ecs).run(event()) == "arn:1"
    assert len(ecs.runs) == 1


def test_patience_ends_and_the_reason_is_told():
    now = iter(range(0, 100_000, 300))
    with pytest.raises(TaskFailedError, match=r"for 900 seconds; last: Capacity is unavailable"):
        launcher(Ecs([NO_CAPACITY] * 50), clock=lambda: float(next(now))).run(event())


def test_an_event_that_does_not_fit_is_refused_where_there_is_no_place_for_it():
    with pytest.raises(NonRetryableError, match="ECS allows 8,192"):
        launcher(ecs := Ecs()).run(event(text="x" * 9_000))
    assert ecs.runs == []


class S3:
    """Keeps what is put, after the errors of its script."""

    def __init__(self, errors: list[Exception] | None = None) -> None:
        self.errors = errors or []
        self.objects: dict[str, bytes] = {}
        self.puts = 0

    def put_object(self, **request: Any) -> None:
        self.puts += 1
        if self.errors:
            raise self.errors.pop(0)
        self.objects[f"s3://{request['Bucket']}/{request['Key']}"] = request["Body"]


def large_events(s3: S3) -> LargeEvents:
    return LargeEvents(s3, "s3://big/events/")  # type: ignore[arg-type]  # the call that is used


def test_an_event_that_does_not_fit_is_in_s3_before_its_task_runs_and_always_at_the_same_place():
    s3, ecs, there = S3(), Ecs(), []
    run_task = ecs.run_task

    def looking(**request: Any) -> dict[str, Any]:
        there.append(len(s3.objects))
        return run_task(**request)

    ecs.run_task = looking  # type: ignore[method-assign]
    ecs.answers = [THROTTLED]
    big = event(text='ü"' * 9_000)
    launcher(ecs, large_events=large_events(s3)).run(big)
    launcher(ecs, large_events=large_events(s3)).run(big)
    assert there == [1, 1, 1]
    assert s3.puts == 3  # before each launch
    ((place, body),) = s3.objects.items()
    assert Event.from_json(body.decode()).data == big.data
    for request in ecs.runs:
        (override,) = request["overrides"]["containerOverrides"]
        assert override["environment"] == [{"name": "EDA_EVENT_REFERENCE", "value": place}]
    launcher(ecs, large_events=large_events(s3)).run(event(text="y" * 9_000))
    assert len(s3.objects) == 2


def test_a_small_event_is_never_written_and_a_running_task_needs_no_object():
    s3, ecs = S3(), Ecs()
    launcher(ecs, large_events=large_events(s3)).run(event(text="x" * 5_000))
    big = event("b", text="x" * 9_000)
    launcher(ecs, large_events=large_events(s3)).run(big)
    assert s3.puts == 1
    ecs.running[ecs.runs[1]["startedBy"]] = ["arn:2"]
    assert launcher(ecs, large_events=large_events(s3)).run(big) == "arn:2"
    assert (s3.puts, len(ecs.runs)) == (1, 2)


def test_an_event_that_cannot_be_written_yet_starts_nothing_and_is_tried_again():
    s3, ecs = S3([REFUSED, REFUSED]), Ecs()
    assert launcher(ecs, large_events=large_events(s3)).run(event(text="x" * 9_000)) == "arn:1"
    assert (s3.puts, len(ecs.runs)) == (3, 1)
    now = iter(range(0, 100_000, 300))
    s3 = S3([REFUSED] * 50)
    with pytest.raises(TaskFailedError, match=r"for 900 seconds; last: .*AccessDenied.*PutObject"):
        launcher(ecs, large_events=large_events(s3), clock=lambda: float(next(now))).run(event(text="x" * 9_000))
    assert len(ecs.runs) == 1


def test_two_copies_of_an_event_wait_for_one_task_and_one_look_serves_all():
    ecs = Ecs()
    ecs.tasks["arn:x"] = {"lastStatus": "RUNNING"}
    watcher = Watcher(ecs, "c", look_seconds=0.005)  # type: ignore[arg-type]
    with ThreadPoolExecutor(3) as pool:
        ends = [pool.submit(watcher.wait, arn) for arn in ("arn:x", "arn:x", "arn:y")]
        assert ends[2].result(20) is None
        ecs.tasks["arn:x"] = stopped()
        results = [end.result(20) for end in ends[:2]]
    assert [result["lastStatus"] for result in results if result] == ["STOPPED", "STOPPED"]
    assert max(ecs.looks) <= 2


def test_the_watcher_outlives_an_error_of_ecs():
    ecs = Ecs()
    ecs.tasks["arn:x"] = stopped()
    real, errors = ecs.describe_tasks, [THROTTLED]

    def failing(**request: Any) -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return real(**request)

    ecs.describe_tasks = failing  # type: ignore[method-assign]
    found = Watcher(ecs, "c", look_seconds=0.005).wait("arn:x")  # type: ignore[arg-type]
    assert found is not None


def test_the_pace_is_kept_and_never_saved_up():
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    pace = Pace(2, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
    now[0] += 100
    for _ in range(2):
        pace.wait()
    assert slept == [0.5, 0.5, 0.5]


def test_settings_are_read_and_every_mistake_is_a_line():
    good = {
        names.CLUSTER: "c",
        names.TASK_DEFINITION: "t",
        names.CONTAINER: "worker",
        names.SUBNETS: "s1, s2",
        names.SECURITY_GROUPS: "g",
        names.PUBLIC_IP: "true",
        names.CAPACITY_PROVIDER: "FARGATE_SPOT",
        names.LAUNCHES_PER_SECOND: "0.5",
    }
    settings = read(good)
    assert (settings.subnets, settings.public_ip, settings.launches_per_second) == (("s1", "s2"), True, 0.5)
    assert settings.large_events is None
    assert read({**good, names.LARGE_EVENTS: "s3://big/events/"}).large_events == "s3://big/events/"
    with pytest.raises(SettingsError, match="LAUNCH_LARGE_EVENTS: 'big' is not a place; allowed: s3://bucket/prefix"):
        read({**good, names.LARGE_EVENTS: "big"})
    with pytest.raises(SettingsError) as caught:
        read({names.LAUNCHES_PER_SECOND: "fast", names.PUBLIC_IP: "maybe", names.CAPACITY_PROVIDER: "EC2"})
    assert len(caught.value.lines) == 8
    assert json.dumps(caught.value.lines).count("not set") == 5
