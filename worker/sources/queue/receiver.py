"""The receive loop."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from worker.backoff import spread
from worker.logs import Field
from worker.protection import TaskProtection
from worker.sources.queue.hand import Hand
from worker.sources.queue.lanes import Lanes
from worker.sources.queue.settlement import Settlement
from worker.sources.queue.sqs import Queue, error_code
from worker.stopping import Stop

__all__ = ["Receiver"]

MAX_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Keeps the handler threads supplied, with no more than they can start soon.

    Attributes:
        source: what to poll.
        batch_size: messages per receive, at most.
        lanes: tells how many can be started, and takes them in.
        hand: holds them.
        settlement: gives back what arrives after the stop.
        protection: begins before the first message is started.
        stop: ends the loop.
    """

    source: Queue
    batch_size: int
    lanes: Lanes
    hand: Hand
    settlement: Settlement
    protection: TaskProtection
    stop: Stop

    def run(self) -> None:
        """Receive until stopped. An error of SQS, its network or the credentials is never final."""
        failures = 0
        while not self.stop.requested.is_set():
            room = self.lanes.wait_for_room(timeout_seconds=1.0)
            if not room:
                continue
            try:
                messages = self.source.receive(min(room, self.batch_size))
            except (ClientError, BotoCoreError) as error:
                failures += 1
                pause = spread(min(0.1 * 2 ** min(failures, 10), MAX_PAUSE_SECONDS))
                logger.error(
                    "cannot receive; trying again",
                    extra={
                        Field.ERROR: error_code(error),
                        Field.REASON: str(error),
                        Field.DELAY_SECONDS: round(pause, 1),
                    },
                )
                self.stop.requested.wait(pause)
                continue
            if failures:
                logger.info("receiving again after %d failures", failures)
                failures = 0
            if messages:
                self.hand.add(messages, received_at=time.monotonic())
                if not self.stop.requested.is_set():
                    self.protection.begin_work()
                self.settlement.give_back_with_reason(self.lanes.add(messages), "the worker stops")
