"""Splits entries into batches that SQS accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["MAX_ENTRIES", "batches"]

MAX_ENTRIES = 10

T = TypeVar("T")


def batches(
    items: Iterable[T], size: Callable[[T], int], max_bytes: int, max_entries: int = MAX_ENTRIES
) -> Iterator[list[T]]:
    """Consecutive items, in order, at most `max_entries` and at most `max_bytes` together.

    An item larger than `max_bytes` is a batch of its own: the service, not this function, refuses it.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        item_bytes = size(item)
        if batch and (len(batch) == max_entries or total + item_bytes > max_bytes):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += item_bytes
    if batch:
        yield batch
