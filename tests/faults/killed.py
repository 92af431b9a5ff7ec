"""What a killed run leaves, to be put back as often as wanted: its queues and its journals."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ops.actions.queues import name_of
from ops.actions.replay.batching import MAX_ENTRIES
from ops.actions.replay.journal import Record
from ops.actions.replay.journal_store import JournalStore
from ops.actions.replay.messages import MAX_BYTES
from tests.faults.child import Job, aws_of, run
from tests.faults.killer import Killer
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.scene import Scene

__all__ = ["HOLD_SECONDS", "Death", "Killed"]

HOLD_SECONDS = 2
"""For how long a killed run holds what it has received."""
_MESSAGES = 12
"""A batch of ten and one of two; on a FIFO queue two groups, so that ten are five requests of two."""
_LARGEST = 1024
"""What the destination takes, in bytes, while a run dies."""
_DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Death:
    """SIGKILL at the `call`-th request of `action`, which AWS has carried out (`acted`), or which never arrives.

    Attributes:
        last: the record that the journal then ends with.
        action, call, acted: see above; without an action the run ends by itself, and is not allowed to delete from the
            `call`-th time on.
        refused: numbers of the messages that the destination does not take.
        after: the death of an earlier run, from which this one had taken over.
        old_journal: the journal of that one is still there.
        synced: the last record was on disk before the run went on to where it was killed.
    """

    last: Record
    action: str = ""
    call: int = 1
    acted: bool = False
    refused: tuple[int, ...] = ()
    after: Death | None = None
    old_journal: bool = False
    synced: bool = False

    def __str__(self) -> str:
        parts = [self.last, f"{self.action}{self.call}" if self.action else "", "acted" if self.acted else ""]
        parts += [f"after-{self.after.last}" if self.after else "", "old-journal" if self.old_journal else ""]
        return "-".join(filter(None, parts))


@dataclass(frozen=True)
class _File:
    name: str
    content: bytes
    age_seconds: float


class Killed:
    """Two queues, a run over them, and its death.

    Args:
        scene: on the server of `tests.faults.keeping_server`.
        death: is died at once.
        fifo: both queues are FIFO.

    Attributes:
        last_bytes: length of the journal's last record, its line feed included.
    """

    def __init__(self, scene: Scene, death: Death, *, fifo: bool) -> None:
        self._scene = scene
        self._death = death
        self._fifo = fifo
        suffix = ".fifo" if fifo else ""
        self._dlq, self._to = scene.queue(f"orders-dlq{suffix}"), scene.queue(f"orders{suffix}")
        self._job = Job(
            environment=scene.environment,
            dlq=self._dlq,
            to=self._to,
            journals=scene.state / "replay",
            lanes=1,
            result=scene.state / "report.json",
            visibility_timeout_seconds=HOLD_SECONDS,
        )
        # A run dies at the proxy, and the next ones talk to the server: another endpoint has another folder.
        store = JournalStore(self._job.journals, scene.arn(self._dlq), scene.account.endpoint_url)
        self._folder = store.directory
        self._folder.mkdir(parents=True)
        self._bodies = [f"{n % 2}:{n}" + "x" * _LARGEST * (n in death.refused) for n in range(_MESSAGES)]
        self._aws = aws_of(self._job)
        self._fill()
        self._take_at_most(_LARGEST)
        with FaultsProxy(scene.account.endpoint_url) as proxy:
            earlier = self._die(proxy, death.after) if death.after else []
            files = self._die(proxy, death)
        self._take_at_most(MAX_BYTES)
        [journal] = [file for file in files if file.name not in {old.name for old in earlier}]
        if death.old_journal:
            lines = journal.content.split(b"\n")
            kept = lines[:1] if death.last is Record.HEADER else lines
            journal = replace(journal, content=b"\n".join(kept))
        self._others = earlier if death.old_journal else []
        self._journal = journal
        self._start = journal.content.rstrip(b"\n").rfind(b"\n") + 1
        self.last_bytes = len(journal.content) - self._start
        assert json.loads(journal.content[self._start :])["record"] == death.last
        self._left, arrived = self._contents({"keep": str(death)})
        self._in_flight = len(set(self._left) & set(arrived))
        assert self._in_flight <= MAX_ENTRIES, "one batch is in flight"

    def run_again(self, length: int, later_seconds: float) -> None:
        """With so many bytes of the last record, so long after the death.

        Raises:
            AssertionError: something is lost, or there twice although it should not be.
        """
        told = f"{self._death}, {length} of {self.last_bytes} bytes, {later_seconds} s later"
        self._put_back(length, later_seconds)
        reports: list[dict[str, Any]] = []
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not (reports and reports[-1]["complete"] and not reports[-1]["in_flight"]):
            assert time.monotonic() < deadline, f"{told}: it does not end: {reports}"
            if reports:
                time.sleep(0.02)  # as an operator would, who reads that messages are in flight
            reports.append(run(self._job, aws=self._aws))
            assert not reports[-1]["error"], f"{told}: {reports}"

        left, arrived = self._contents(None)
        assert not left, f"{told}: still there: {left}"
        assert set(arrived) == set(self._bodies), f"{told}: lost: {set(self._bodies) - set(arrived)}"
        assert sum(report["moved"] for report in reports) == len(self._left), f"{told}: {reports}"
        doubled = Counter(arrived) - Counter(self._bodies)
        assert doubled.total() <= self._allowed(length), f"{told}: twice: {doubled}"
        if not self._death.synced:
            known = sum(report["duplicates_possible"] for report in reports)
            assert doubled.total() <= known, f"{told}: twice: {doubled}, {known} told"
        if self._fifo:
            for group in ("0:", "1:"):
                mine = [body for body in arrived if body.startswith(group)]
                assert mine == [body for body in self._bodies if body.startswith(group)], f"{told}: {mine}"

    def _allowed(self, length: int) -> int:
        """Duplicates: what was in flight; none on a FIFO queue, or when the journal says what had arrived."""
        whole = length >= len(self._journal.content.rstrip(b"\n")) - self._start
        unknown = Record.SENDING in (self._death.last, self._death.after and self._death.after.last)
        return 0 if self._fifo or (whole and not unknown) else self._in_flight

    def _fill(self) -> None:
        for start in range(0, len(self._bodies), 10):
            entries: list[dict[str, str]] = []
            for number, body in enumerate(self._bodies[start : start + 10], start):
                entry = {"Id": str(number), "MessageBody": body}
                if self._fifo:
                    entry |= {"MessageGroupId": body[0], "MessageDeduplicationId": str(number)}
                entries.append(entry)
            assert not self._scene.sqs.send_message_batch(QueueUrl=self._dlq, Entries=entries).get("Failed")

    def _die(self, proxy: FaultsProxy, death: Death) -> list[_File]:
        """The journals that are there afterwards."""
        proxy.heal()
        job = replace(self._job, environment={**self._job.environment, "AWS_ENDPOINT_URL": proxy.url})
        if death.action:
            assert Killer(proxy, death.action, death.call, acted=death.acted).run(job, seconds=60) == -signal.SIGKILL
        else:
            calls = itertools.count(1)
            proxy.inject(
                "DeleteMessageBatch", Fault.ACCESS_DENIED, times=None, when=lambda request: next(calls) >= death.call
            )
            report = run(job)
            assert report["failed"] > 0, report
        now = time.time()
        return [_File(path.name, path.read_bytes(), now - path.stat().st_mtime) for path in self._scene.journals()]

    def _take_at_most(self, size_bytes: int) -> None:
        attributes = {"MaximumMessageSize": str(size_bytes)}
        self._scene.sqs.set_queue_attributes(QueueUrl=self._to, Attributes=attributes)

    def _put_back(self, length: int, later_seconds: float) -> None:
        for path in self._scene.journals():
            path.unlink()
        cut = replace(self._journal, content=self._journal.content[: self._start + length])
        for file in (*self._others, cut):
            path = self._folder / file.name
            path.write_bytes(file.content)
            modified = time.time() - file.age_seconds - later_seconds
            os.utime(path, (modified, modified))
        self._contents({"restore": str(self._death), "later_seconds": later_seconds})

    def _contents(self, request: dict[str, Any] | None) -> tuple[list[str], list[str]]:
        """What is in the dead-letter queue, and in the destination."""
        bodies = self._scene.local(f"queues/{self._scene.account.id}", request)
        return bodies[name_of(self._dlq)], bodies[name_of(self._to)]
