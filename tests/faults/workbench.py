"""Carries out schedules on the embedded AWS, and holds what became of every message against what was promised."""

from __future__ import annotations

import itertools
import json
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.emulator import Account
from tests.faults.child import Job, run
from tests.faults.killer import Killer
from tests.faults.proxy import ANY, Fault, FaultsProxy, Request
from tests.faults.schedule import Run, Schedule

__all__ = ["Workbench", "carry_out_all"]

_AT_A_TIME = 12
_DEADLINE_SECONDS = 90


def carry_out_all(endpoint_url: str, folder: Path, schedules: Sequence[Schedule]) -> None:
    """Many at a time, each in an account of its own; much of a schedule is waiting."""
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for _ in pool.map(lambda one: Workbench(endpoint_url, folder / uuid.uuid4().hex, one).carry_out(), schedules):
            pass


class Workbench:
    """Two queues, a proxy, and a schedule.

    Args:
        endpoint_url: the embedded AWS.
        folder: of its own.
        schedule: what is to happen.
    """

    def __init__(self, endpoint_url: str, folder: Path, schedule: Schedule) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._schedule = schedule
        self._account = Account(endpoint_url)
        self._sqs: Any = self._account.client("sqs")
        suffix = ".fifo" if schedule.fifo else ""
        self._dlq, self._to = (self._queue(name + suffix) for name in ("orders-dlq", "orders"))
        self._names = [f"{n % schedule.groups}:{n}" for n in range(schedule.messages)]
        self._numbers = itertools.count()
        self._reports: list[dict[str, Any]] = []
        self._kills = 0
        self._unanswered = 0

    def carry_out(self) -> None:
        """Raises AssertionError, with the schedule as JSON, when a promise is broken."""
        self._fill()
        with FaultsProxy(self._account.endpoint_url) as proxy:
            for one in self._schedule.runs:
                if not self._copied:
                    self._run(proxy, one)
            deadline = time.monotonic() + _DEADLINE_SECONDS
            while not (self._copied or self._finish(proxy)):
                assert time.monotonic() < deadline, self._tell("it does not end")
        self._check()

    @property
    def _copied(self) -> bool:
        """A copy that is complete: the next one would be a second copy."""
        return self._schedule.copying and any(
            report.get("complete") and not report["in_flight"] for report in self._reports
        )

    def _run(self, proxy: FaultsProxy, one: Run) -> None:
        proxy.heal()
        job = self._job(proxy)
        stop = threading.Event()
        killer = Killer(proxy, ANY, one.kill.call, acted=one.kill.acted) if one.kill else None
        if one.stop is not None:
            requests = itertools.count(1)

            def stop_now(request: Request) -> bool:
                if next(requests) == one.stop:
                    stop.set()
                return False

            proxy.inject(ANY, Fault.DELAYED, times=None, when=stop_now)
        for strike_ in one.strikes:
            seen = itertools.count(1)
            proxy.inject(
                strike_.action,
                strike_.fault,
                times=strike_.times,
                seconds=0.05,
                when=lambda request, seen=seen, after=strike_.after: next(seen) > after,  # type: ignore[misc]
                then=self._count_unanswered if strike_.fault is Fault.DROPPED_AFTER else lambda request: None,
            )
        if killer is None:
            report = run(job, stop)
            self._reports.append(report)
            self._check_report(report, one)
            return
        code = killer.run(job, _DEADLINE_SECONDS)
        assert code is not None, self._tell("a run does not end")
        if code == -signal.SIGKILL:
            self._kills += 1
            if one.kill and one.kill.cut:
                self._cut_off(one.kill.cut)
        else:
            assert code == 0, self._tell(f"a run ended with {code}")
            self._reports.append(json.loads(job.result.read_text()))

    def _cut_off(self, most: int) -> None:
        journals = sorted(self._folder.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        if not journals:
            return
        content = journals[-1].read_bytes()
        start = content.rstrip(b"\n").rfind(b"\n") + 1
        record = json.loads(content[start:])
        if record["record"] in ("header", "carried"):
            return  # they were on disk before anything was sent
        journals[-1].write_bytes(content[: max(start, len(content) - most)])

    def _finish(self, proxy: FaultsProxy) -> bool:
        """A run without faults, as an operator would; True when nothing is left to do."""
        proxy.heal()
        report = run(self._job(proxy))
        self._reports.append(report)
        assert not report["error"], self._tell(report["error"])
        return report["complete"] and not report["in_flight"]

    def _job(self, proxy: FaultsProxy) -> Job:
        return Job(
            environment=self._account.environment() | {"AWS_ENDPOINT_URL": proxy.url},
            dlq=self._dlq,
            to=self._to,
            journals=self._folder / "journals",
            lanes=self._schedule.lanes,
            result=self._folder / f"report-{next(self._numbers)}.json",
            where="ends_with(body, '0') || ends_with(body, '5')" if self._schedule.filtered else None,
            copy=self._schedule.copying,
        )

    def _count_unanswered(self, request: Request) -> None:
        if request.action == "SendMessageBatch":
            self._unanswered += len(json.loads(request.body)["Entries"])

    def _check_report(self, report: dict[str, Any], one: Run) -> None:
        if "found" not in report:
            return
        accounted = report["moved"] + report["skipped"] + report["failed"] + report["left"] - report["late"]
        assert accounted <= report["found"], self._tell(f"the numbers do not add up: {report}")
        actions = {(strike.action, strike.fault) for strike in one.strikes}
        if ("ReceiveMessage", Fault.DROPPED_AFTER) not in actions:
            in_flight = self._counts(self._dlq)[1]
            # What an earlier, killed run holds is in flight as well.
            assert in_flight <= report["lapsing"] or self._kills, self._tell(f"{in_flight} not given back: {report}")

    def _check(self) -> None:
        schedule = self._schedule
        arrived, stayed = self._drain(self._to), Counter(self._drain(self._dlq))
        copies = Counter(arrived)
        wanted = {name for name in self._names if not schedule.filtered or name[-1] in "05"}
        assert set(copies) == wanted, self._tell(f"lost or strange: {sorted(set(copies) ^ wanted)}")
        staying = set(self._names) if schedule.copying else set(self._names) - wanted
        assert stayed == Counter(staying), self._tell(f"in the dead-letter queue: {stayed - Counter(staying)}")
        extra = len(arrived) - len(copies)
        bound = 0 if schedule.fifo else self._unanswered + self._kills * schedule.lanes * 10
        assert extra <= bound, self._tell(f"{extra} duplicates, at most {bound} allowed")
        if not self._kills:
            told = sum(report.get("duplicates_possible", 0) for report in self._reports)
            doubled = sum(number > 1 for number in copies.values())
            assert doubled <= told, self._tell(f"{doubled} messages arrived again, {told} told")
        if schedule.fifo:
            for group in range(schedule.groups):
                # Copies were counted above: here only the first of each stands in the order.
                mine = [name for name in dict.fromkeys(arrived) if name.startswith(f"{group}:")]
                expected = [name for name in self._names if name.startswith(f"{group}:")]
                assert mine == expected, self._tell(f"order of group {group}: {mine}")

    def _tell(self, what: str) -> str:
        return f"{what}\nfor tests/faults/regressions.json:\n{self._schedule.to_json()}"

    def _queue(self, name: str) -> str:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        return str(self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def _fill(self) -> None:
        for start in range(0, len(self._names), 10):
            entries = []
            for number, name in enumerate(self._names[start : start + 10]):
                entry = {"Id": str(number), "MessageBody": name}
                if self._schedule.fifo:
                    entry |= {"MessageGroupId": name.split(":")[0], "MessageDeduplicationId": name.replace(":", "-")}
                entries.append(entry)
            assert not self._sqs.send_message_batch(QueueUrl=self._dlq, Entries=entries).get("Failed")

    def _counts(self, url: str) -> tuple[int, int]:
        got = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(got["ApproximateNumberOfMessages"]), int(got["ApproximateNumberOfMessagesNotVisible"])

    def _drain(self, url: str) -> list[str]:
        bodies: list[str] = []
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while any(self._counts(url)):
            assert time.monotonic() < deadline, self._tell("messages stay invisible")
            got = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            bodies += [message["Body"] for message in got]
            if got:
                entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(got)]
                self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return bodies
