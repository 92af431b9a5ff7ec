"""The settings of this source: the ``BROKER_*`` variables of `contracts.environment`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contracts import environment as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["BrokerSettings", "Endpoint", "read"]

_PORTS = {"amqp": 5672, "amqps": 5671, "stomp": 61613, "stomp+ssl": 61614}
_SCHEMES = ", ".join(f"{scheme}://" for scheme in _PORTS)

# RabbitMQ allows 255 bytes of a name, and ours get suffixes; ActiveMQ gives wildcards and commas a meaning.
_QUEUE = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Attributes:
    scheme: amqp, amqps, stomp or stomp+ssl.
    virtual_host: of RabbitMQ; default ``/``.
    """

    scheme: str
    host: str
    port: int
    virtual_host: str = "/"

    @property
    def tls(self) -> bool:
        return self.scheme in ("amqps", "stomp+ssl")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Every attribute is documented at the variable's name in `contracts.environment`.

    Attributes:
        endpoints: at least one, all of one protocol.
        username, password: None logs in as nobody, where the broker allows it.
        queue, dead_letter_queue: names.
        prefetch: 1 to 2,000.
        ordered: one message after the other.
        lease_seconds: 2 to 3,600; default 30.
        ca_file: None trusts the system's authorities.
    """

    endpoints: tuple[Endpoint, ...]
    queue: str
    dead_letter_queue: str
    prefetch: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ordered: bool = False
    lease_seconds: int = 30
    ca_file: str | None = None

    @property
    def stomp(self) -> bool:
        return self.endpoints[0].scheme.startswith("stomp")


def read(environment: Mapping[str, str], *, concurrency: int) -> BrokerSettings:
    """Read and check the variables; `concurrency` is that of the worker.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    endpoints = tuple(_endpoints(reader))
    queue = _queue(reader, names.BROKER_QUEUE, reader.required(names.BROKER_QUEUE, "the name of the queue to consume"))
    ordered = reader.choice(names.BROKER_ORDERED, ("true", "false"), "false") == "true"
    if ordered and concurrency > 1:
        reader.mistakes.append(
            f"{names.CONCURRENCY}: {concurrency} with {names.BROKER_ORDERED}=true; allowed: 1, or no order: two "
            "messages at a time have none"
        )
    ca_file = reader.text(names.BROKER_CA_FILE) or None
    if ca_file and not Path(ca_file).is_file():
        reader.mistakes.append(f"{names.BROKER_CA_FILE}: {ca_file!r} is not a file; allowed: a PEM file of authorities")
    dead_letter_queue = reader.text(names.BROKER_DEAD_LETTER_QUEUE, f"{queue}.dlq" if queue else "")
    settings = BrokerSettings(
        endpoints=endpoints,
        username=reader.text(names.BROKER_USERNAME) or None,
        password=environment.get(names.BROKER_PASSWORD) or None,
        queue=queue,
        dead_letter_queue=_queue(reader, names.BROKER_DEAD_LETTER_QUEUE, dead_letter_queue),
        prefetch=reader.integer(names.BROKER_PREFETCH, 1, 2_000, 2 * concurrency),
        ordered=ordered,
        lease_seconds=reader.integer(names.BROKER_LEASE_SECONDS, 2, 3_600, 30),
        ca_file=ca_file,
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _endpoints(reader: Reader) -> Iterator[Endpoint]:
    name = names.BROKER_URLS
    text = reader.required(name, "URLs with commas between, e.g. amqps://broker.example:5671")
    schemes: set[str] = set()
    for number, part in enumerate(text.split(",") if text else (), 1):
        try:
            url = urlsplit(part.strip())
            port = url.port
        except ValueError as error:
            reader.mistakes.append(f"{name}: URL {number} is malformed ({error}); allowed: {_SCHEMES} and host[:port]")
            continue
        if url.username or url.password:
            reader.mistakes.append(
                f"{name}: URL {number} has credentials, and URLs are logged; set {names.BROKER_USERNAME} and "
                f"{names.BROKER_PASSWORD}"
            )
        elif url.scheme not in _PORTS or not url.hostname:
            reader.mistakes.append(
                f"{name}: {part.strip()!r} is not a broker's URL; allowed: {_SCHEMES} and host[:port]"
            )
        else:
            schemes.add(url.scheme)
            yield Endpoint(
                scheme=url.scheme,
                host=url.hostname,
                port=port or _PORTS[url.scheme],
                virtual_host=unquote(url.path[1:]) or "/",
            )
    if len(schemes) > 1:
        reader.mistakes.append(f"{name}: mixes {', '.join(sorted(schemes))}; allowed: one protocol")


def _queue(reader: Reader, name: str, value: str) -> str:
    if value and not _QUEUE.fullmatch(value):
        reader.mistakes.append(f"{name}: {value!r} is malformed; allowed: 1 to 200 letters, digits and _ . : -")
    return value
