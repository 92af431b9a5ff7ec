"""What a worker of a state machine has to know besides `worker.settings`."""

from __future__ import annotations

from contracts import environment as names
from worker.settings import Reader

__all__ = ["heartbeat_seconds"]


def heartbeat_seconds(reader: Reader) -> int:
    """HeartbeatSeconds of the state; the worker beats at a third of it, so that one beat may fail."""
    value = reader.optional_integer(names.HEARTBEAT_SECONDS, 3, 86_400)
    if value is None and not reader.text(names.HEARTBEAT_SECONDS):
        reader.mistakes.append(f"{names.HEARTBEAT_SECONDS}: not set; set it to HeartbeatSeconds of the state")
    return value or 3
