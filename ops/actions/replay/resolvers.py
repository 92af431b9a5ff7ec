"""The router of a run, with all its resolvers in the order in which they are asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ops.actions.queues import Queue, QueueDirectory
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.targets import TargetDeliveries
from ops.actions.replay.eventbridge import EventTargets
from ops.actions.replay.options import ReplayOptions, Source
from ops.actions.replay.records import Records
from ops.actions.replay.routing import Resolver, Router
from ops.actions.replay.schedules import Schedules
from ops.actions.replay.stored_records import StoredRecords
from ops.actions.replay.subscriptions import Subscriptions

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["router_of"]


def router_of(
    aws: Aws,
    directory: QueueDirectory,
    dlq: Queue,
    source: Source,
    options: ReplayOptions,
    halt: threading.Event,
) -> Router:
    """The router for whatever a dead-letter queue can hold; queue messages need no resolver.

    Args:
        aws: makes clients.
        directory: looks queues up.
        dlq: the queue as it was at the start.
        source: where the manifest says its messages come from.
        options: the destination, if one is given, and the limit of replays.
        halt: ends what a destination waits for.
    """
    destinations = Destinations(aws, halt)
    deliveries = TargetDeliveries(destinations, directory)
    resolvers: list[Resolver] = [
        EventTargets(aws, deliveries),
        Schedules(aws, deliveries),
        Records(destinations, StoredRecords(aws, destinations), options.replay_limit),
    ]
    return Router(
        dlq,
        directory,
        destinations,
        resolvers,
        Subscriptions(aws, directory, destinations, dlq),
        to=options.to,
        manifest_origin=source.manifest_origin,
        max_replays=options.replay_limit,
    )
