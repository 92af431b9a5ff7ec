"""Replays the dead-letter topic of a Kafka worker, batch by batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from contracts.manifest import KafkaRef
from ops.actions.replay.client_engine import Progress, new_run_id
from ops.actions.replay.dead_letter_topic import DeadLetterTopic, TopicLetter
from ops.actions.replay.destinations.base import Answer, Refusal
from ops.actions.replay.destinations.kafka_topic import KafkaTopic, TopicRecord, producer_settings
from ops.actions.replay.journal_store import JournalStore
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions
from ops.actions.replay.rate import Pace
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.tally import Tally
from ops.errors import OpsError, UsageError, explain
from ops.kafka import configuration

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["check_topic_options", "replay_topic"]

_BATCH = 100
_ATTEMPTS = 8


def check_topic_options(options: ReplayOptions) -> None:
    """Refuse what a topic, or a broker's queue, cannot do.

    Raises:
        UsageError: names the option.
    """
    asked = {
        "--to": options.to,
        "--where, --id, --since or --until": not options.selection.everything,
        "--edit": options.edit is not None,
        "--copy": options.copy,
        "--backup": options.backup,
        "--engine native": options.engine is Engine.NATIVE,
    }
    if names := [name for name, value in asked.items() if value]:
        raise UsageError(
            f"topics and queues of brokers are replayed in order and as they are: not with {', '.join(names)}",
            "the on-failure queue of a kafka-worker has the same records as its topic, and can",
        )


def replay_topic(
    aws: Aws, kafka: KafkaRef, application: str, options: ReplayOptions, stop: threading.Event, progress: Progress
) -> QueueReport:
    """Give the records of a pattern's dead-letter topic back to its topic, for this application alone.

    What is refused (no event, replayed too often) is written to the end of the dead-letter topic again before the
    replay goes on behind it, so that it is kept and holds nobody up.

    Raises:
        OpsError: the brokers cannot be reached, or another run of this machine works on the topic.
    """
    run_id = new_run_id()
    report = QueueReport(kafka.dead_letter_topic or "", run_id, Engine.CLIENT, resumable=False)
    arn = f"{kafka.topic_arn.rsplit('/', 1)[0]}/{kafka.dead_letter_topic}"
    store = JournalStore(options.journal_directory, arn.replace("/", ":"), kafka.bootstrap_servers)
    with store.locked(run_id), DeadLetterTopic.opened(aws, kafka) as topic:
        _TopicRun(aws, kafka, application, options, stop, progress, topic, report).execute()
    return report


class _TopicRun:
    def __init__(
        self,
        aws: Aws,
        kafka: KafkaRef,
        application: str,
        options: ReplayOptions,
        stop: threading.Event,
        progress: Progress,
        topic: DeadLetterTopic,
        report: QueueReport,
    ) -> None:
        from confluent_kafka import Producer

        settings = configuration(aws, kafka.bootstrap_servers, kafka.topic_arn.split(":")[3])
        producer = Producer(producer_settings(settings))
        producer.poll(0)
        self._origin, self._again = KafkaTopic(producer, kafka.topic), KafkaTopic(producer, topic.topic)
        self._application = application
        self._options = options
        self._stop = stop
        self._progress = progress
        self._topic = topic
        self._report = report
        self._tally = Tally()
        self._pace = Pace(options.rate)
        self._backoff = Backoff(stop, _ATTEMPTS)

    def execute(self) -> None:
        begun = time.monotonic()
        report, topic, tally = self._report, self._topic, self._tally
        report.found = topic.waiting
        limit = report.found if self._options.max_messages is None else min(self._options.max_messages, report.found)
        if not self._options.dry_run:
            report.duplicates_possible = topic.left_open
        try:
            taken = 0
            while taken < limit and not self._stop.is_set():
                most = _BATCH if self._options.rate is None else self._pace.largest_batch
                letters = topic.read(min(most, limit - taken), self._stop)
                if not letters or self._stop.wait(self._pace.reserve(len(letters))):
                    break
                taken += len(letters)
                self._replay(letters)
                self._progress(tally, report.found, time.monotonic() - begun)
        except Exception as error:  # noqa: BLE001 - ends the run, and is told in the report
            report.error = explain(error, f"replaying {report.queue}").message
        report.moved, report.skipped = tally.moved, tally.skipped
        report.destinations, report.reasons = dict(tally.destinations), dict(tally.reasons.most_common())
        report.left = report.found - report.moved - report.skipped
        report.interrupted = self._stop.is_set()
        report.seconds = time.monotonic() - begun
        asked_for_less = report.left <= report.found - limit
        report.complete = asked_for_less and not (report.error or report.interrupted or report.skipped)
        if self._options.dry_run:
            report.complete = not (report.error or report.interrupted)

    def _replay(self, letters: Sequence[TopicLetter]) -> None:
        back: list[TopicRecord] = []
        kept: list[TopicRecord] = []
        for letter in letters:
            found = letter.replayed(self._application, self._options.replay_limit)
            if isinstance(found, Refusal):
                self._tally.skip(found.reason)
                kept.append(letter.record)
            else:
                back.append(found)
        if self._options.dry_run:
            self._tally.sent_to(self._origin.name, len(back))
            self._topic.passed(letters)
        else:
            self._topic.begin(letters)
            self._write(self._origin, back)
            self._write(self._again, kept)
            self._topic.done(letters)
            self._tally.sent_to(self._origin.name, len(back))
            self._tally.move(len(back))

    def _write(self, destination: KafkaTopic, records: Sequence[TopicRecord]) -> None:
        """Until each is confirmed. Raises an `OpsError` when one is not: nothing is committed then."""
        pending = list(records)
        for attempt in range(1, _ATTEMPTS + 1):
            answers = destination.send([("", record) for record in pending]) if pending else []
            unknown = sum(answer is None for answer in answers)
            self._report.duplicates_possible += unknown
            for answer in answers:
                if answer is not None and answer.fault is not None and not answer.fault.worth_retrying:
                    raise OpsError(answer.reason)
            pending = [record for record, answer in zip(pending, answers, strict=True) if not _taken(answer)]
            if not pending:
                return
            if not self._backoff.pause(attempt):
                break
        raise OpsError(f"{destination.name} did not take {len(pending)} records; they stay, and are not committed")


def _taken(answer: Answer | None) -> bool:
    return answer is not None and answer.fault is None
