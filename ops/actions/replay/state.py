"""What the lanes of a run share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.actions.queues import Queue
from ops.actions.replay.backup import Backup
from ops.actions.replay.deleter import Deleter
from ops.actions.replay.hand import Hand
from ops.actions.replay.journal import OpenEntry
from ops.actions.replay.rate import Pace
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.routing import Router
from ops.actions.replay.selection import Selection
from ops.actions.replay.sender import Sender
from ops.actions.replay.snapshot import Quota, Snapshot
from ops.actions.replay.tally import Tally

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["RunState"]


@dataclass
class RunState:
    """The stations of a run, and what it knows.

    Attributes:
        dlq: the queue as it was at the start.
        client: for the dead-letter queue, without retries of its own.
        router, hand, snapshot, pace, tally, backoff: the stations.
        sender: None with a dry run.
        deleter: None with a dry run, and when copying.
        selection: which messages are taken.
        quota: how many of the selected ones are.
        patch: the merge patch for each body; None changes none.
        backup: where each message is written before it is sent; None nowhere.
        copying: what was sent stays in the dead-letter queue, too.
        max_failures: the run ends after so many; None never.
        inherited: what interrupted runs left, by message id.
        halt: set when the run must end.
        visibility_timeout_seconds, wait_seconds: of each receive.
        held_until: when the visibility of messages that nobody here knows of is over, seconds since 1970.
        sent: ids sent by this run.
        undeleted: id → message that was sent, and could not be deleted.
        awaited: of the ids asked for, those not met yet.
        satisfied: all that was asked for was met, so that what is left may be left.
    """

    dlq: Queue
    client: SQSClient
    router: Router
    sender: Sender | None
    deleter: Deleter | None
    hand: Hand
    snapshot: Snapshot
    pace: Pace
    tally: Tally
    backoff: Backoff
    selection: Selection
    quota: Quota
    patch: Mapping[str, Any] | None
    backup: Backup | None
    copying: bool
    max_failures: int | None
    inherited: Mapping[str, OpenEntry]
    halt: threading.Event
    visibility_timeout_seconds: int
    wait_seconds: int
    held_until: float = 0.0
    sent: set[str] = field(default_factory=set)
    undeleted: dict[str, str] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    satisfied: bool = False
