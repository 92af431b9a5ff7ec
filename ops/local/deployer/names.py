"""Physical names where the program sets none, made as Pulumi's AWS provider makes them."""

from __future__ import annotations

import secrets

from ops.local.errors import LocalError

__all__ = ["HEX_DIGITS", "autoname"]

HEX_DIGITS = 7
"""Random hexadecimal digits after the logical name (pulumi-terraform-bridge, ``NewUniqueHex`` with randlen 7)."""


def autoname(logical_name: str, *, suffix: str = "", max_length: int = 255) -> str:
    """``<logical name>-<7 hex digits><suffix>``.

    Args:
        logical_name: the resource's name in the program.
        suffix: what the service demands at the end, e.g. ``.fifo``.
        max_length: the longest name that the service accepts.

    Raises:
        LocalError: the provider would refuse it too, because the result would be longer than `max_length`.
    """
    name = f"{logical_name}-{secrets.token_hex(4)[:HEX_DIGITS]}{suffix}"
    if len(name) > max_length:
        raise LocalError(
            f"the name {name!r} has {len(name)} characters and the service accepts {max_length}; "
            f"shorten {logical_name!r} by {len(name) - max_length}"
        )
    return name
