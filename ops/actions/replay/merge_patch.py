"""`--edit`: a JSON merge patch (RFC 7396) on the body of each message, and never a silent change beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ops.errors import UsageError

__all__ = ["NotEditableError", "edited", "merged", "read_patch"]

Patch = Mapping[str, Any]


class NotEditableError(Exception):
    """The body cannot be patched without changing more than the patch says."""


def read_patch(text: str) -> dict[str, Any]:
    """The patch in `text`, or in the file that it names after an ``@``.

    Raises:
        UsageError: it cannot be read, or is no JSON object (anything else would replace whole bodies).
    """
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except (OSError, ValueError) as error:
            raise UsageError(f"--edit {text}: the file cannot be read ({error})") from None
    try:
        patch = _exact(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--edit {_short(text)}: not JSON ({error})", _HINT) from None
    if not isinstance(patch, dict):
        raise UsageError(f"--edit {_short(text)}: must be a JSON object", _HINT)
    return patch


def edited(body: str, patch: Patch) -> str:
    """The body with the patch in it.

    Raises:
        NotEditableError: the body is no JSON object, or would not survive being read and written.
    """
    try:
        document = _exact(body)
    except (ValueError, RecursionError) as error:
        raise NotEditableError(f"its body cannot be edited: {error}") from None
    if not isinstance(document, dict):
        raise NotEditableError("its body cannot be edited: it is not a JSON object")
    text = json.dumps(merged(document, patch), ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair can stand in JSON as an escape only.
    return text if text.isascii() or _encodable(text) else json.dumps(merged(document, patch), separators=(",", ":"))


def merged(target: Any, patch: Any) -> Any:
    """`target` patched as RFC 7396, section 2, says; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


_HINT = """a JSON merge patch: --edit '{"detail": {"city": "Perth", "obsolete": null}}', or --edit @FILE"""


def _exact(text: str) -> Any:
    """Parse JSON; a ValueError for what Python would parse, and then not write as it was."""
    return json.loads(text, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object)


def _float(text: str) -> float:
    value = float(text)
    if not Decimal(text) == Decimal(repr(value)):
        raise ValueError(f"the number {text} would lose digits")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name is in an object twice")
    return document


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
