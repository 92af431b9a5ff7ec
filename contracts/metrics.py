"""CloudWatch metrics that the worker publishes itself, for the program's alarms and scaling policies and for `ops`."""

from typing import Final

__all__ = ["ITEMS_LEFT", "LAG_MILLISECONDS", "NAMESPACE", "PATTERN", "SHARDS_HELD", "STACK"]

NAMESPACE: Final = "EDA/Workers"
STACK: Final = "Stack"
PATTERN: Final = "Pattern"
"""Dimensions of every metric."""

LAG_MILLISECONDS: Final = "LagMilliseconds"
"""How far the handling is behind the newest record, at the slowest shard that the task holds. Its maximum over the
tasks is the application's."""
SHARDS_HELD: Final = "ShardsHeld"
"""Shards that a task holds. Its sum over the tasks of a minute is the number of shards with a worker."""
ITEMS_LEFT: Final = "ItemsLeft"
"""Items of an activity pool's running maps that are not done: those that wait and those that a worker has. Published by
the pattern's function, once a minute, also when it is 0."""
