"""A pizza shop: bakes what is on its menu.

The menu is the environment variable ``MENU``, names with commas between; by default what `DEFAULT_MENU` lists. An order
for anything else fails for good; it is served when a longer menu has been deployed and it has been replayed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from typing import Any

from worker import Event, NonRetryableError

__all__ = ["DEFAULT_MENU", "handle"]

DEFAULT_MENU = "margherita,marinara,noPineappleOnPizza,quattroFormaggi"

logger = logging.getLogger(__name__)


def handle(event: Event) -> dict[str, Any]:
    """Bake one order (`OrderCreated`), which takes ``BAKING_SECONDS`` (default 0), and return the receipt.

    Raises:
        NonRetryableError: the order is not on the menu.
    """
    pizza = str(event.data.get("name", ""))
    menu = [name.strip() for name in os.environ.get("MENU", DEFAULT_MENU).split(",")]
    if pizza not in menu:
        raise NonRetryableError(f"{pizza!r} is not on the menu; allowed: {', '.join(menu)}")
    time.sleep(float(os.environ.get("BAKING_SECONDS", "0")))
    receipt = {
        "order": pizza,
        "city": event.data.get("city"),
        "receipt_number": hashlib.sha256(event.idempotency_key.encode()).hexdigest()[:12],
    }
    logger.info("a %s for %s is ready", pizza, receipt["city"])
    return receipt
