"""All resolvers of a run, in the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.actions.queues import QueueDirectory
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.targets import TargetDeliveries
from ops.actions.replay.eventbridge import EventTargets
from ops.actions.replay.records import Records
from ops.actions.replay.routing import Resolver
from ops.actions.replay.schedules import Schedules
from ops.actions.replay.stored_records import StoredRecords

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["resolvers_of"]


def resolvers_of(aws: Aws, directory: QueueDirectory, destinations: Destinations, max_replays: int) -> list[Resolver]:
    """The resolvers for whatever a dead-letter queue can hold; queue messages need none.

    Args:
        aws: makes clients.
        directory: looks queues up.
        destinations: of the run.
        max_replays: of the run, for what carries its count in its data.
    """
    deliveries = TargetDeliveries(destinations, directory)
    return [
        EventTargets(aws, deliveries),
        Schedules(aws, deliveries),
        Records(destinations, StoredRecords(aws, destinations), max_replays),
    ]
