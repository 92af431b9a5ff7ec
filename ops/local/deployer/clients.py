"""boto3 clients of the embedded AWS, shared by the threads that register resources."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from ops.local.account import ACCOUNT_ID

__all__ = ["Clients"]

_POOL_CONNECTIONS = 32  # the Pulumi SDK registers resources from about this many threads


class Clients:
    """One client per service and region, made on first use. Thread-safe."""

    def __init__(self, endpoint_url: str, region: str, account: str = ACCOUNT_ID) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self.account = account
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def get(self, service: str, region: str | None = None) -> Any:
        """The client of `service` in `region` (default: the stack's)."""
        key = (service, region or self.region)
        with self._lock:  # neither the session nor its model loader is thread-safe
            if key not in self._clients:
                self._clients[key] = self._session.client(  # type: ignore[call-overload]  # the name is a variable
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=self.account,
                    aws_secret_access_key="test",
                    config=Config(
                        retries={"mode": "standard"},
                        max_pool_connections=_POOL_CONNECTIONS,
                        connect_timeout=5,
                        read_timeout=60,
                        inject_host_prefix=False,  # the embedded AWS has one address, not one for each service
                    ),
                )
            return self._clients[key]
