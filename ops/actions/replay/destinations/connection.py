"""An EventBridge connection: how it logs in, read from its secret.

EventBridge keeps the secret in Secrets Manager as ``events!connection/<name>/<id>``; DescribeConnection names it, and
shows everything that is not secret.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ops.actions.replay.destinations.http import request
from ops.errors import OpsError
from ops.faults import Fault, SendError

__all__ = ["Connection", "Parameters"]

_RENEW_SECONDS = 60


@dataclass(frozen=True)
class Parameters:
    """What a connection adds to every request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """Makes the headers that log in. Safe for many threads.

    Args:
        described: DescribeConnection's answer.
        secret: the document in the connection's secret.

    Raises:
        OpsError: a kind of login that is not known, or the secret lacks something.
    """

    def __init__(self, described: Mapping[str, Any], secret: Mapping[str, Any]) -> None:
        self._name = str(described.get("Name", ""))
        self._kind = str(described.get("AuthorizationType", ""))
        self._secret = secret
        shown: Mapping[str, Any] = described.get("AuthParameters") or {}
        self._oauth: Mapping[str, Any] = shown.get("OAuthParameters") or {}
        self.parameters = _parameters(
            shown.get("InvocationHttpParameters") or {}, secret.get("invocation_http_parameters") or {}
        )
        self._token: tuple[str, float] | None = None
        self._lock = threading.Lock()
        match self._kind:
            case "API_KEY":
                self._needed("api_key_name", "api_key_value")
            case "BASIC":
                self._needed("username", "password")
            case "OAUTH_CLIENT_CREDENTIALS":
                self._needed("client_id", "client_secret")
            case kind:
                raise OpsError(f"the connection {self._name} logs in by {kind}, which replay-dlq does not know")

    def authorization(self) -> dict[str, str]:
        """The headers.

        Raises:
            SendError: the token endpoint did not give a token.
        """
        match self._kind:
            case "API_KEY":
                return {self._secret["api_key_name"]: self._secret["api_key_value"]}
            case "BASIC":
                login = f"{self._secret['username']}:{self._secret['password']}"
                return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
            case _:
                with self._lock:
                    if self._token is None or self._token[1] < time.monotonic():
                        self._token = self._fetch()
                    return {"Authorization": self._token[0]}

    def forget_token(self) -> bool:
        """The API did not accept it; True when there may be a better one."""
        with self._lock:
            had, self._token = self._token is not None, None
            return had

    def _needed(self, *names: str) -> None:
        if missing := [name for name in names if not isinstance(self._secret.get(name), str)]:
            raise OpsError(f"the secret of the connection {self._name} has no {' and no '.join(missing)}")

    def _fetch(self) -> tuple[str, float]:
        extra = _parameters(
            self._oauth.get("OAuthHttpParameters") or {}, self._secret.get("oauth_http_parameters") or {}
        )
        endpoint = str(self._oauth.get("AuthorizationEndpoint") or self._secret.get("authorization_endpoint"))
        method = str(self._oauth.get("HttpMethod") or self._secret.get("http_method") or "POST")
        form = {
            "grant_type": "client_credentials",
            "client_id": self._secret["client_id"],
            "client_secret": self._secret["client_secret"],
            **extra.body,
        }
        query = dict(extra.query)
        headers = {"Content-Type": "application/x-www-form-urlencoded", **extra.headers}
        if method == "GET":
            query |= form
        separator = "&" if "?" in endpoint else "?"
        url = f"{endpoint}{separator}{urlencode(query)}" if query else endpoint
        reply = request(method, url, headers, b"" if method == "GET" else urlencode(form).encode())
        try:
            answer = json.loads(reply.body) if 200 <= reply.status < 300 else {}
        except ValueError:
            answer = {}
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            fault = Fault.UNREACHABLE if reply.status >= 500 or reply.status == 429 else Fault.DENIED
            raise SendError(fault, f"the connection {self._name} got no token: {endpoint} answered HTTP {reply.status}")
        kind = str(answer.get("token_type") or "Bearer")
        seconds = float(answer.get("expires_in") or 3600)
        header = f"{'Bearer' if kind.lower() == 'bearer' else kind} {token}"
        return header, time.monotonic() + max(0.0, seconds - _RENEW_SECONDS)


def _parameters(shown: Mapping[str, Any], secret: Mapping[str, Any]) -> Parameters:
    """What DescribeConnection shows, with the values that only the secret has."""

    def merged(described: str, stored: str) -> dict[str, str]:
        values = {item["Key"]: item.get("Value", "") for item in shown.get(described) or () if "Key" in item}
        values |= {item["key"]: item.get("value", "") for item in secret.get(stored) or () if "key" in item}
        return values

    return Parameters(
        merged("HeaderParameters", "header_parameters"),
        merged("QueryStringParameters", "query_string_parameters"),
        merged("BodyParameters", "body_parameters"),
    )
