"""What the source `api` needs beyond the settings that all sources share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts import environment as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["HEALTH_PATH", "ApiSettings", "read"]

HEALTH_PATH = "/health"


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Every attribute is documented at the variable's name in `contracts.environment`.

    Attributes:
        host: default 0.0.0.0.
        port: 1 to 65,535; default 8080.
        path: default ``/events``.
        keys: empty lets everybody in.
        max_body_bytes: 1 to 10,485,760; default 1,048,576.
        max_waiting: 0 to 10,000; default 10.
        linger_seconds: 0 to 60; default 0.
        lease_seconds: 2 to 3,600; default 30.
    """

    host: str = "0.0.0.0"
    port: int = 8080
    path: str = "/events"
    keys: tuple[str, ...] = ()
    max_body_bytes: int = 1_048_576
    max_waiting: int = 10
    linger_seconds: int = 0
    lease_seconds: int = 30


def read(environment: Mapping[str, str]) -> ApiSettings:
    """Read and check the settings.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    settings = ApiSettings(
        host=reader.text(names.API_HOST, "0.0.0.0"),
        port=reader.integer(names.API_PORT, 1, 65_535, 8080),
        path=_path(reader),
        keys=_keys(reader),
        max_body_bytes=reader.integer(names.API_MAX_BODY_BYTES, 1, 10_485_760, 1_048_576),
        max_waiting=reader.integer(names.API_MAX_WAITING, 0, 10_000, 10),
        linger_seconds=reader.integer(names.API_LINGER_SECONDS, 0, 60, 0),
        lease_seconds=reader.integer(names.API_LEASE_SECONDS, 2, 3_600, 30),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _path(reader: Reader) -> str:
    path = reader.text(names.API_PATH, "/events")
    if not path.startswith("/") or path == HEALTH_PATH:
        reader.mistakes.append(f"{names.API_PATH}: {path!r} cannot be used; allowed: a path other than {HEALTH_PATH}")
    return path


def _keys(reader: Reader) -> tuple[str, ...]:
    """The keys; a variable that is set but has none would let everybody in by mistake."""
    text = reader.environment.get(names.API_KEYS)
    keys = tuple(key for part in (text or "").split(",") if (key := part.strip()))
    if text is not None and not keys:
        reader.mistakes.append(f"{names.API_KEYS}: set, but it has no key; allowed: one or more keys, commas between")
    return keys
