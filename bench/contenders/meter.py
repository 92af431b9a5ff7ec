"""Counts the messages that a consumer handles, and what they cost; standard library only, for every Python contender.

Environment: METER_FILE (takes one JSON object), METER_MESSAGES (after so many handled the process gets SIGTERM),
METER_WARM_UP (so many are handled before the measurement begins; then a file with the suffix ``.warm`` is there).
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["Meter"]


class Meter:
    """Thread-safe; one per process."""

    def __init__(self) -> None:
        self._file = Path(os.environ["METER_FILE"])
        self._messages = int(os.environ["METER_MESSAGES"])
        self._warm_up = int(os.environ["METER_WARM_UP"])
        self._lock = threading.Lock()
        self._handled = 0
        self._latencies: list[float] = []
        self._begun = (0.0, 0.0)

    def handled(self, data: dict[str, Any]) -> None:
        """One message, whose data has ``sent_at``, seconds since 1970 (0: its latency does not matter)."""
        latency = time.time() - float(data["sent_at"])
        with self._lock:
            self._handled += 1
            if self._handled > self._warm_up and data["sent_at"]:
                self._latencies.append(latency)
            if self._handled == self._warm_up:
                self._begun = (time.monotonic(), time.process_time())
                self._file.with_suffix(".warm").touch()
            if self._handled == self._messages:
                self._finish()

    def _finish(self) -> None:
        seconds, cpu_seconds = time.monotonic() - self._begun[0], time.process_time() - self._begun[1]
        document = {
            "messages": self._messages - self._warm_up,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "latencies": self._latencies,
        }
        temporary = self._file.with_suffix(".part")
        temporary.write_text(json.dumps(document))
        temporary.rename(self._file)
        os.kill(os.getpid(), signal.SIGTERM)
