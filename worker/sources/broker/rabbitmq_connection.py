"""How a connection to RabbitMQ is made, and how its failures read."""

from __future__ import annotations

import ssl
from typing import Any

import pika

from worker.sources.broker.settings import BrokerSettings, Endpoint

__all__ = ["CONNECT_SECONDS", "connection_parameters", "sentence"]

CONNECT_SECONDS = 10
_HEARTBEAT_SECONDS = 30
_BLOCKED_SECONDS = 60


def connection_parameters(settings: BrokerSettings, endpoint: Endpoint) -> pika.ConnectionParameters:
    options: dict[str, Any] = {}
    if endpoint.tls:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        options["ssl_options"] = pika.SSLOptions(context, endpoint.host)
    if settings.username is not None:
        options["credentials"] = pika.PlainCredentials(settings.username, settings.password or "")
    return pika.ConnectionParameters(
        host=endpoint.host,
        port=endpoint.port,
        virtual_host=endpoint.virtual_host,
        heartbeat=_HEARTBEAT_SECONDS,
        blocked_connection_timeout=_BLOCKED_SECONDS,
        socket_timeout=CONNECT_SECONDS,
        stack_timeout=CONNECT_SECONDS,
        client_properties={"connection_name": f"worker of {settings.queue}"},
        **options,
    )


def sentence(error: BaseException) -> str:
    """pika's exceptions often have no text, or the text of the one inside."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    text = str(error) or repr(error)
    return f"{type(error).__name__}: {text}" if inner is None else f"{type(error).__name__}: {inner!r}"
