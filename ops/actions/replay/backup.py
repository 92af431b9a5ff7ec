"""`--backup`: every message that is taken, on disk before it is sent, let alone deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.actions.replay.append_log import AppendLog
from ops.actions.replay.messages import DeadLetter
from ops.errors import OpsError

__all__ = ["Backup", "backed_up_ids"]


class Backup:
    """JSON lines: ``id, queue, body, attributes, system``, as they were in the dead-letter queue.

    The value of a Binary attribute is base64 text. All methods may be called from many threads.

    Args:
        path: a new file; readable and writable by its owner only.
        resumed: continue the file of an earlier run, and write no message twice.

    Raises:
        OpsError: it cannot be made, or exists already; nothing was touched.
    """

    def __init__(self, path: Path, *, resumed: bool = False) -> None:
        self.path = path
        self.messages = 0
        try:
            self._known = backed_up_ids(path) if resumed else set()
            self._log = AppendLog(path, existing=resumed)
        except FileExistsError:
            raise OpsError(f"--backup {path}: the file exists, and is not overwritten", "name another file") from None
        except OSError as error:
            raise OpsError(f"--backup {path}: cannot be written ({error.strerror})", "name another file") from error

    def write(self, queue: str, messages: Iterable[DeadLetter]) -> None:
        """Returns when these are on disk.

        Raises:
            OSError: they cannot be written; they must not be deleted then.
        """
        ticket = 0
        for message in messages:
            if message.id not in self._known:
                ticket = self._log.append(_line(queue, message))
                self._known.add(message.id)
                self.messages += 1
        if ticket:
            self._log.sync_to(ticket)

    def close(self) -> None:
        self._log.close()


def backed_up_ids(path: Path) -> set[str]:
    """Ids of the messages in a backup, whatever state a crash left it in.

    Raises:
        OSError: it cannot be read.
    """
    ids: set[str] = set()
    with path.open("rb") as lines:
        for line in lines:
            try:
                ids.add(json.loads(line)["id"])
            except (ValueError, TypeError, KeyError):
                continue  # the line a crash cut off
    return ids


def _line(queue: str, message: DeadLetter) -> str:
    document = {
        "id": message.id,
        "queue": queue,
        "body": message.body,
        "attributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "system": dict(message.system),
    }
    return json.dumps(document, separators=(",", ":"))


def _attribute(value: Mapping[str, Any]) -> dict[str, str]:
    kept = {key: value[key] for key in ("DataType", "StringValue") if value.get(key) is not None}
    if (raw := value.get("BinaryValue")) is not None:
        kept["BinaryValue"] = base64.b64encode(raw).decode()
    return kept
