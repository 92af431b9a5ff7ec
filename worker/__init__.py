"""The container that consumes events and calls a handler: ``python -m worker <source>``.

A handler needs this and nothing else::

    from worker import Event, NonRetryableError

    def handle(event: Event) -> dict | None:
        if "size" not in event.data:
            raise NonRetryableError("an order without a size")
        return {"baked": event.data["size"]}

What it returns is kept with the event's idempotency key. Any exception means: try again later; `NonRetryableError`
means: do not. Work that runs for minutes needs nothing special, the message stays invisible while it is handled.
"""

from contracts.events import Event
from worker.errors import NonRetryableError

__all__ = ["Event", "NonRetryableError"]
