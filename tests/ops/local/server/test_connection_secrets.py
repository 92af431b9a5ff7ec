"""Connections keep their credentials in Secrets Manager, and show none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account

_EXTRA = {"HeaderParameters": [{"Key": "x-tenant", "Value": "t1", "IsValueSecret": True}]}
_EXTRA_STORED = {"header_parameters": [{"key": "x-tenant", "value": "t1", "is_value_secret": True}]}


@pytest.mark.parametrize(
    ("kind", "parameters", "stored"),
    [
        (
            "API_KEY",
            {"ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": "s3cret"}},
            {"api_key_name": "x-api-key", "api_key_value": "s3cret"},
        ),
        (
            "BASIC",
            {"BasicAuthParameters": {"Username": "ops", "Password": "s3cret"}, "InvocationHttpParameters": _EXTRA},
            {"username": "ops", "password": "s3cret", "invocation_http_parameters": _EXTRA_STORED},
        ),
        (
            "OAUTH_CLIENT_CREDENTIALS",
            {
                "OAuthParameters": {
                    "AuthorizationEndpoint": "https://login.example/token",
                    "HttpMethod": "POST",
                    "ClientParameters": {"ClientID": "me", "ClientSecret": "s3cret"},
                    "OAuthHttpParameters": _EXTRA,
                }
            },
            {
                "client_id": "me",
                "client_secret": "s3cret",
                "authorization_endpoint": "https://login.example/token",
                "http_method": "POST",
                "oauth_http_parameters": _EXTRA_STORED,
            },
        ),
    ],
)
def test_a_connection_has_a_secret_and_shows_none(
    account: Account, kind: str, parameters: dict[str, Any], stored: dict[str, Any]
) -> None:
    events, secrets = account.client("events"), account.client("secretsmanager")
    events.create_connection(Name="c", AuthorizationType=kind, AuthParameters=parameters)

    shown = events.describe_connection(Name="c")

    assert "s3cret" not in json.dumps(shown, default=str)
    assert '"t1"' not in json.dumps(shown, default=str)
    assert ":secret:events!connection/c/" in shown["SecretArn"]
    assert json.loads(secrets.get_secret_value(SecretId=shown["SecretArn"])["SecretString"]) == stored


def test_the_secret_lives_and_changes_with_the_connection(account: Account) -> None:
    events, secrets = account.client("events"), account.client("secretsmanager")
    key = {"ApiKeyName": "x-api-key", "ApiKeyValue": "old"}
    events.create_connection(Name="c", AuthorizationType="API_KEY", AuthParameters={"ApiKeyAuthParameters": key})
    arn = events.describe_connection(Name="c")["SecretArn"]

    events.update_connection(Name="c", AuthParameters={"ApiKeyAuthParameters": {**key, "ApiKeyValue": "new"}})

    assert events.describe_connection(Name="c")["SecretArn"] == arn
    assert json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["api_key_value"] == "new"
    events.delete_connection(Name="c")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=arn)
