"""One partition that this task reads: from its assignment to its revocation."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from confluent_kafka import TopicPartition

from worker.sources.kafka.records import KafkaRecord
from worker.sources.stream.holding import WorkerCrashedError
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.leases import crash_limit, window
from worker.sources.stream.progress import Progress

__all__ = ["Assignment", "Keys", "crashes_in"]

_CRASHES = "crashes="


def crashes_in(metadata: str | None) -> int:
    """How many owners in a row vanished with this commit: what `Assignment.mark` wrote; 0 for anything else."""
    text = (metadata or "").removeprefix(_CRASHES)
    return int(text) if metadata and metadata.startswith(_CRASHES) and text.isdecimal() else 0


class Keys:
    """Idempotency keys of the events that are being handled, each as often as it is. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, key: str) -> None:
        with self._lock:
            self._counts[key] += 1

    def discard(self, key: str) -> None:
        with self._lock:
            self._counts[key] -= 1
            if self._counts[key] <= 0:
                del self._counts[key]

    def all(self) -> list[str]:
        """In no order."""
        with self._lock:
            return list(self._counts)


class Assignment:
    """The records of one partition on their way, and how far it is. Compared by identity.

    A commit's metadata counts the owners that vanished with records in hand and without progress. With each of them
    fewer records are in hand at a time, until the one that kills its workers is alone, and is given up.

    Args:
        topic, partition: which.
        position: the offset of the first record to handle; None leaves it to the client and counts no crashes.
        crashes: owners that vanished at this position.
        keys: of the events in hand, of all assignments.
        batch_size: records per read.
        max_attempts: of the handler with one record.
        session_seconds: for how long nobody else gets the partition when this process dies.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        position: int | None,
        *,
        crashes: int,
        keys: Keys,
        batch_size: int,
        max_attempts: int,
        session_seconds: float,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.crashes = crashes
        self.paused = False
        self.draining = threading.Event()
        self.progress = Progress("" if position is None else str(position - 1))
        self._position = position
        self._marked = position is None
        self._suspect = crashes >= crash_limit(batch_size, max_attempts)
        self._keys = keys
        self._batch_size = batch_size
        self._session_seconds = session_seconds
        self._lost = False
        self._pending: deque[KafkaRecord] = deque()

    @property
    def shard_id(self) -> str:
        """``topic/partition``."""
        return f"{self.topic}/{self.partition}"

    @property
    def full(self) -> bool:
        """Whether records wait because enough are in hand."""
        return bool(self._pending)

    def remaining_seconds(self) -> float:
        """For how long nobody else can get the partition; 0 when somebody may have it already."""
        return 0.0 if self._lost else self._session_seconds

    def begin(self, key: str) -> None:
        """An event with this idempotency key is being handled."""
        self._keys.add(key)

    def end(self, key: str) -> None:
        """No longer."""
        self._keys.discard(key)

    def leave(self, *, lost: bool = False) -> None:
        """Begin nothing more; `lost`: somebody else may have the partition already."""
        self._lost = lost
        self.draining.set()
        self._pending.clear()

    def accept(self, record: KafkaRecord) -> None:
        """Take in a record, in order."""
        if not self.draining.is_set():
            self._pending.append(record)

    def mark(self) -> TopicPartition | None:
        """What to commit before the first record is handed on, so that the next owner knows should this one vanish."""
        if self._marked or not self._pending:
            return None
        self._marked = True
        return TopicPartition(self.topic, self.partition, self._position or 0, f"{_CRASHES}{self.crashes + 1}")

    def feed(self, lanes: Lanes[Assignment], timeout_seconds: float = 0.0) -> None:
        """Hand on as many records as there is room for, waiting for room if there is none."""
        while self._pending:
            limit = window(self._batch_size, self.crashes)
            room = self.progress.wait_for_room(limit, timeout_seconds, until_written=self.crashes > 0)
            if not room:
                return
            records = [self._pending.popleft() for _ in range(min(room, len(self._pending)))]
            self.progress.add(records)
            lanes.add(self, records, given_up=self._suspicion())
            timeout_seconds = 0.0

    def done(self) -> tuple[TopicPartition, str, int] | None:
        """What to commit: everything before it is settled; then the arguments of `committed`. None: nothing new."""
        reached, token = self.progress.reached()
        if not self.progress.dirty:
            return None
        return TopicPartition(self.topic, self.partition, int(reached) + 1, ""), reached, token

    def committed(self, reached: str, token: int) -> None:
        """The commit (or what makes one soon) is through."""
        self.progress.written(reached, token)
        self.crashes = 0

    def unmark(self) -> TopicPartition | None:
        """What to commit when the partition is handed over without progress, which is no crash."""
        reached, _ = self.progress.reached()
        if self._position is None or not self._marked or reached != str(self._position - 1):
            return None
        metadata = f"{_CRASHES}{self.crashes}" if self.crashes else ""
        return TopicPartition(self.topic, self.partition, self._position, metadata)

    def _suspicion(self) -> WorkerCrashedError | None:
        if not self._suspect:
            return None
        self._suspect = False
        return WorkerCrashedError(
            f"{self.crashes} workers in a row vanished before they had handled anything from offset {self._position} "
            "on; this is the record there"
        )


def in_hand(assignments: Iterable[Assignment], lanes: Lanes[Assignment]) -> bool:
    """Whether a record of one of them is being handled."""
    return any(lanes.in_hand(assignment) for assignment in assignments)
