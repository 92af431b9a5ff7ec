"""Clients of a Kafka cluster: IAM over TLS with the command's credentials, plain where the address says PLAINTEXT://."""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["configuration", "reachable"]

_PLAINTEXT = "PLAINTEXT://"
_PROBE_SECONDS = 2.0


def reachable(servers: str) -> bool:
    """Whether one of the brokers takes a connection: those of MSK do in their own network only."""
    for server in servers.split(","):
        host, _, port = server.strip().removeprefix(_PLAINTEXT).rpartition(":")
        with contextlib.suppress(OSError, ValueError), socket.create_connection((host, int(port)), _PROBE_SECONDS):
            return True
    return False


def configuration(aws: Aws, servers: str, region: str) -> dict[str, Any]:
    """What every client of the cluster needs.

    Args:
        aws: whose credentials are used.
        servers: bootstrap servers as in the manifest.
        region: of the cluster.
    """
    # What librdkafka has to say about a connection is no answer to a command.
    quiet = logging.getLogger("librdkafka")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    found: dict[str, Any] = {"bootstrap.servers": servers, "client.id": "eda-ops", "logger": quiet}
    if not servers.startswith(_PLAINTEXT):
        found |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "oauth_cb": lambda _config: _token(aws, region),
        }
    return found


def _token(aws: Aws, region: str) -> tuple[str, float]:
    """A token, and when it ends in seconds since the epoch."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.credentials import CredentialProvider, Credentials

    class Ours(CredentialProvider):
        def load(self) -> Credentials | None:
            return aws.session().get_credentials()

    token, milliseconds = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(region, Ours())
    return token, milliseconds / 1000
