"""How clients of the cluster are configured: IAM over TLS, and what keeps a consumer's promises."""

from __future__ import annotations

import logging
import os
from typing import Any

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from confluent_kafka import KafkaError

from worker.identity import worker_name
from worker.logs import Field
from worker.sources.kafka.settings import KafkaSettings

__all__ = ["DELIVERY_SECONDS", "connection", "consumer_configuration", "producer_configuration"]

DELIVERY_SECONDS = 10.0
"""How long a record may be on its way to the dead-letter topic."""

COMMIT_SECONDS = 1.0
MAX_POLL_SECONDS = 300

logger = logging.getLogger(__name__)


def connection(settings: KafkaSettings, region: str, *, role: str) -> dict[str, Any]:
    """What every client of this worker needs.

    Args:
        settings: where the cluster is.
        region: of the cluster, for the token.
        role: of the client, for the broker's log.
    """
    configuration: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"{settings.group}-{role}@{worker_name(os.environ)}",
        "error_cb": _log_error,
        "logger": logging.getLogger("librdkafka"),
        # Brokers close idle connections; that is no error.
        "log.connection.close": False,
    }
    if settings.authenticated:
        configuration |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "oauth_cb": lambda _config: _token(region),
        }
    return configuration


def consumer_configuration(settings: KafkaSettings, region: str) -> dict[str, Any]:
    """Offsets are committed when this worker says that they are done, and never before."""
    return connection(settings, region, role="consumer") | {
        "group.id": settings.group,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,  # of stored offsets only
        "auto.commit.interval.ms": int(COMMIT_SECONDS * 1000),
        "auto.offset.reset": settings.start.value,
        "session.timeout.ms": settings.session_seconds * 1000,
        "heartbeat.interval.ms": max(500, settings.session_seconds * 1000 // 15),
        # The poll loop does not wait for handlers: only a process that hangs misses this.
        "max.poll.interval.ms": max(MAX_POLL_SECONDS, settings.session_seconds) * 1000,
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
        # Two batches ready, and no more memory than a small task has.
        "queued.min.messages": 2 * settings.batch_size,
        "queued.max.messages.kbytes": 16_384,
    }


def producer_configuration(settings: KafkaSettings, region: str) -> dict[str, Any]:
    """Written once, to all in-sync replicas, or told that it was not."""
    return connection(settings, region, role="dead-letters") | {
        "enable.idempotence": True,
        "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
        "linger.ms": 0,
        "compression.type": "lz4",
        "message.max.bytes": 8_388_608,
    }


def _token(region: str) -> tuple[str, float]:
    """A token and when it ends, in seconds since the epoch; librdkafka asks again before that."""
    token, expires_at_milliseconds = MSKAuthTokenProvider.generate_auth_token(region)
    return token, expires_at_milliseconds / 1000


def _log_error(error: KafkaError) -> None:
    logger.warning("the Kafka client reports", extra={Field.ERROR: error.name(), Field.REASON: error.str()})
