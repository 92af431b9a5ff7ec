"""The one thread that talks to the group: reads, hands on, commits, and gives partitions up in order.

It never waits for a handler except while a partition is taken away, so the group hears of it all the time, however
long a record takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from worker.logs import Field
from worker.sources.kafka.assignment import Assignment, crashes_in, in_hand
from worker.sources.kafka.records import KafkaRecord
from worker.sources.kafka.settings import KafkaSettings, Start
from worker.sources.stream.lanes import Lanes

__all__ = ["Poller"]

IDLE_SECONDS = 0.5
BUSY_SECONDS = 0.05
GRACE_SECONDS = 0.1
"""How long a partition that is full may hold up the others: a pause throws away what the client has fetched ahead."""
REQUEST_SECONDS = 10.0

_Partition = tuple[str, int]

logger = logging.getLogger(__name__)


class Poller:
    """Keeps the lanes supplied with the records of the partitions that the group gives this task.

    Args:
        consumer: not subscribed yet; closed at the end.
        settings: of this source.
        lanes: where records go.
        new_assignment: makes one of topic, partition, position and crashes.
        stopping: read nothing more once it is set.
        drain_seconds: how long work in hand may go on when a partition is taken away, or at the end.
    """

    def __init__(
        self,
        consumer: Consumer,
        settings: KafkaSettings,
        lanes: Lanes[Assignment],
        new_assignment: Callable[[str, int, int | None, int], Assignment],
        *,
        stopping: threading.Event,
        drain_seconds: float,
    ) -> None:
        self._consumer = consumer
        self._settings = settings
        self._lanes = lanes
        self._new_assignment = new_assignment
        self._stopping = stopping
        self._drain_seconds = drain_seconds
        self._assignments: dict[_Partition, Assignment] = {}
        self._leaving: list[Assignment] = []

    def run(self) -> None:
        """Work until `stopping` is set, then finish what was begun, commit, and leave the group."""
        self._consumer.subscribe(
            [self._settings.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        try:
            while not self._stopping.is_set():
                self._make_room()
                slow = any(assignment.paused for assignment in self._assignments.values()) or bool(self._leaving)
                self._read(BUSY_SECONDS if slow else IDLE_SECONDS)
                self._hand_on()
                self._store()
            self._drain()
        finally:
            self._consumer.close()

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, timeout_seconds: float) -> None:
        messages = self._consumer.consume(1, timeout=timeout_seconds)
        if messages:
            messages += self._consumer.consume(self._settings.batch_size - 1 or 1, timeout=0)
        for message in messages:
            if (error := message.error()) is not None:
                self._complain(error)
            elif (assignment := self._assignments.get(_partition(message))) is not None:
                assignment.accept(KafkaRecord.from_message(message, self._settings.order))

    def _complain(self, error: KafkaError) -> None:
        if error.fatal():
            raise KafkaException(error)
        logger.warning("cannot read", extra={Field.ERROR: error.name(), Field.REASON: error.str()})
        self._stopping.wait(IDLE_SECONDS)

    def _hand_on(self) -> None:
        marks = [mark for assignment in self._assignments.values() if (mark := assignment.mark())]
        if marks:
            self._commit(marks)
        for assignment in self._assignments.values():
            assignment.feed(self._lanes)
        for assignment in [gone for gone in self._leaving if not self._lanes.in_hand(gone)]:
            self._lanes.forget(assignment)
            self._leaving.remove(assignment)

    def _make_room(self) -> None:
        """Pause partitions of which enough is in hand, and go on with those that have room again."""
        for assignment in list(self._assignments.values()):
            if assignment.full:
                assignment.feed(self._lanes, 0.0 if assignment.paused else GRACE_SECONDS)
            if assignment.full != assignment.paused:
                partition = [TopicPartition(assignment.topic, assignment.partition)]
                if assignment.full:
                    self._consumer.pause(partition)
                else:
                    self._consumer.resume(partition)
                assignment.paused = assignment.full

    # -- committing ----------------------------------------------------------------------------------------------

    def _store(self) -> None:
        """Let the client commit, in a second at most, what is settled; at once where a crash is suspected."""
        for assignment in self._assignments.values():
            if (done := assignment.done()) is None:
                continue
            offset, reached, token = done
            if assignment.crashes:
                if not self._commit([offset]):
                    continue
            elif not self._store_offset(offset):
                continue
            assignment.committed(reached, token)

    def _store_offset(self, offset: TopicPartition) -> bool:
        try:
            self._consumer.store_offsets(offsets=[offset])
        except KafkaException as error:
            logger.warning("cannot store an offset", extra={Field.REASON: str(error)})
            return False
        return True

    def _commit(self, offsets: Sequence[TopicPartition]) -> bool:
        """Commit now. What could not be committed is read again by whoever comes next, and recognised by its key."""
        try:
            answers = self._consumer.commit(offsets=list(offsets), asynchronous=False) or []
        except KafkaException as error:
            logger.warning("cannot commit", extra={Field.REASON: str(error)})
            return False
        failed = [answer for answer in answers if answer.error]
        for answer in failed:
            logger.warning(
                "cannot commit",
                extra={Field.SHARD: f"{answer.topic}/{answer.partition}", Field.REASON: str(answer.error)},
            )
        return not failed

    def _commit_last(self, assignments: Iterable[Assignment]) -> None:
        """Commit what was settled since; and take back the mark where nothing was."""
        offsets = []
        for assignment in assignments:
            if done := assignment.done():
                offsets.append(done[0])
                # When the partition goes, the client commits what was stored, even over a later commit.
                self._store_offset(done[0])
            elif unmark := assignment.unmark():
                offsets.append(unmark)
        if offsets:
            self._commit(offsets)

    # -- the group -----------------------------------------------------------------------------------------------

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions = [self._position(consumer, found) for found in self._committed(consumer, partitions)]
        consumer.incremental_assign([position for position, _ in positions])
        fresh = []
        for (position, crashes), before in zip(positions, partitions, strict=True):
            known = position.offset if position.offset >= 0 else None
            assignment = self._new_assignment(before.topic, before.partition, known, crashes)
            self._assignments[before.topic, before.partition] = assignment
            logger.info("got a partition", extra={Field.SHARD: assignment.shard_id})
            if self._stopping.is_set():
                assignment.leave()
                self._lanes.drop(assignment)
            elif known is not None and not crashes:
                fresh.append(TopicPartition(before.topic, before.partition, known, ""))
        if fresh:
            # A group without commits has no lag that could be measured, and would forget where "latest" was.
            self._commit(fresh)

    def _committed(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if not partitions:
            return []
        try:
            return consumer.committed(partitions, timeout=REQUEST_SECONDS)
        except KafkaException as error:
            logger.warning("cannot read the group's commits", extra={Field.REASON: str(error)})
            return partitions

    def _position(self, consumer: Consumer, found: TopicPartition) -> tuple[TopicPartition, int]:
        """Where to begin, and how many owners vanished there."""
        if found.offset >= 0:
            return TopicPartition(found.topic, found.partition, found.offset), crashes_in(found.metadata)
        partition = TopicPartition(found.topic, found.partition)
        try:
            marks = consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS)
        except KafkaException as error:
            logger.warning("cannot find where to begin", extra={Field.REASON: str(error)})
            return partition, 0
        if not marks:
            return partition, 0
        low, high = marks
        return TopicPartition(found.topic, found.partition, low if self._settings.start is Start.EARLIEST else high), 0

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Somebody else gets them: end what was begun, commit it, and only then let go."""
        leaving = self._leave(partitions, lost=False)
        deadline = time.monotonic() + self._drain_seconds
        while in_hand(leaving, self._lanes) and time.monotonic() < deadline:
            time.sleep(BUSY_SECONDS / 5)
        self._commit_last(leaving)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Somebody else has them already; what was begun goes on, and its keys are kept from others."""
        self._leave(partitions, lost=True)

    def _leave(self, partitions: list[TopicPartition], *, lost: bool) -> list[Assignment]:
        leaving = []
        for partition in partitions:
            assignment = self._assignments.pop((partition.topic, partition.partition), None)
            if assignment is not None:
                assignment.leave(lost=lost)
                self._lanes.drop(assignment)
                leaving.append(assignment)
                what = "lost a partition" if lost else "gave a partition up"
                logger.info(what, extra={Field.SHARD: assignment.shard_id})
        self._leaving += leaving
        return leaving

    def _drain(self) -> None:
        """Finish what was begun. The group hears of this task until the end."""
        deadline = time.monotonic() + self._drain_seconds
        for assignment in self._assignments.values():
            assignment.leave()
            self._lanes.drop(assignment)
        begun = [*self._assignments.values(), *self._leaving]
        self._consumer.pause(self._consumer.assignment())
        while in_hand(begun, self._lanes) and time.monotonic() < deadline:
            self._consumer.consume(1, timeout=BUSY_SECONDS)  # nothing comes; it serves the group
        self._commit_last(self._assignments.values())


def _partition(message: Message) -> _Partition:
    return message.topic() or "", message.partition() or 0
