"""ApiDestination: an HTTP API that rules can deliver to, with its credentials and its rate limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.core.naming import MAX_API_DESTINATION_NAME, check_name
from components.core.validation import Check, OneOf, Range, check, is_known
from components.encryption import EncryptionKey

__all__ = ["ApiDestination", "ApiDestinationArgs", "ApiKey", "BasicLogin", "Credentials", "OAuthClient"]

_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST")


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A header with a secret value.

    Attributes:
        header: e.g. ``x-api-key``.
        value: the secret; kept encrypted in the state, and by EventBridge in Secrets Manager.
    """

    header: str
    value: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class BasicLogin:
    """HTTP basic authentication."""

    username: pulumi.Input[str]
    password: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """OAuth 2.0 client credentials.

    Attributes:
        token_url: https URL of the authorization endpoint.
        client_id, client_secret: of the client.
        method: of the token request: GET, POST or PUT; default POST.
        scope: sent in the body of the token request; default none.
    """

    token_url: pulumi.Input[str]
    client_id: pulumi.Input[str]
    client_secret: pulumi.Input[str]
    method: str = "POST"
    scope: str | None = None


Credentials = ApiKey | BasicLogin | OAuthClient


@dataclass(frozen=True, kw_only=True)
class ApiDestinationArgs:
    """Arguments of `ApiDestination`.

    Attributes:
        url: https; each ``*`` is filled in by the target's path values.
        credentials: how EventBridge logs in. A connection whose login fails is deauthorized, and every call fails then.
        method: default POST.
        requests_per_second: upper limit, 1 or more; default 300, EventBridge's own. Events wait their turn for up to
            the rule's event age (24 hours), then go to its dead-letter queue.
        private_resource_configuration_arn: VPC Lattice resource configuration of an API inside a VPC; default None,
            a public API. EventBridge makes and owns the resource association.
        encryption_key: customer-managed key of the connection's secret; default None, AWS's own.
        description: shown in the console.
    """

    url: pulumi.Input[str]
    credentials: Credentials
    method: str = "POST"
    requests_per_second: int = 300
    private_resource_configuration_arn: pulumi.Input[str] | None = None
    encryption_key: EncryptionKey | None = None
    description: str | None = None


def _bad_url(args: ApiDestinationArgs) -> bool:
    parts = urlsplit(str(args.url))
    return parts.scheme != "https" or not parts.hostname or "*" in parts.netloc or len(str(args.url)) > 2048


_RULES = (
    Check(
        ("url",),
        _bad_url,
        lambda args: f"url is {args.url!r}; allowed is an https URL of up to 2,048 characters, * in its path only",
    ),
    OneOf("method", _METHODS),
    Range("requests_per_second", 1, 100_000, "requests"),
    Check(
        ("credentials",),
        lambda args: (
            isinstance(args.credentials, OAuthClient) and args.credentials.method not in ("GET", "POST", "PUT")
        ),
        lambda args: f"credentials.method is {args.credentials.method!r}; allowed is one of 'GET', 'POST', 'PUT'",
    ),
)


class ApiDestination(Component):
    """An API with its connection. The connection's secret is made and kept by EventBridge.

    Attributes:
        arn: of the destination.
        connection, destination: the raw resources.
        path_wildcards: asterisks of the URL; None when the URL is not known yet.
    """

    def __init__(self, name: str, args: ApiDestinationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_API_DESTINATION_NAME)
        check(f"ApiDestination {name!r}", args, _RULES)
        self.path_wildcards = str(args.url).count("*") if is_known(args.url) else None
        self.connection = self._connect(args)
        self.destination = aws.cloudwatch.EventApiDestination(
            name,
            connection_arn=self.connection.arn,
            invocation_endpoint=args.url,
            http_method=args.method,
            invocation_rate_limit_per_second=args.requests_per_second,
            description=args.description,
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.destination.arn
        self.publish({"arn": self.arn})

    def invoke(self) -> list[Statement]:
        """What the role of a rule needs."""
        return [Statement(actions=["events:InvokeApiDestination"], resources=[self.arn])]

    def _connect(self, args: ApiDestinationArgs) -> aws.cloudwatch.EventConnection:
        kind, parameters = _authentication(args.credentials)
        private = args.private_resource_configuration_arn
        return aws.cloudwatch.EventConnection(
            f"{self.name}-connection",
            authorization_type=kind,
            auth_parameters=aws.cloudwatch.EventConnectionAuthParametersArgs(**parameters),
            kms_key_identifier=args.encryption_key.arn if args.encryption_key else None,
            invocation_connectivity_parameters=(
                aws.cloudwatch.EventConnectionInvocationConnectivityParametersArgs(
                    resource_parameters=aws.cloudwatch.EventConnectionInvocationConnectivityParametersResourceParametersArgs(
                        resource_configuration_arn=private
                    )
                )
                if private is not None
                else None
            ),
            opts=self.child(),
        )


def _authentication(credentials: Credentials) -> tuple[str, Mapping[str, Any]]:
    match credentials:
        case ApiKey():
            key = aws.cloudwatch.EventConnectionAuthParametersApiKeyArgs(
                key=credentials.header, value=pulumi.Output.secret(credentials.value)
            )
            return "API_KEY", {"api_key": key}
        case BasicLogin():
            basic = aws.cloudwatch.EventConnectionAuthParametersBasicArgs(
                username=credentials.username, password=pulumi.Output.secret(credentials.password)
            )
            return "BASIC", {"basic": basic}
        case OAuthClient():
            return "OAUTH_CLIENT_CREDENTIALS", {"oauth": _oauth(credentials)}


def _oauth(client: OAuthClient) -> aws.cloudwatch.EventConnectionAuthParametersOauthArgs:
    scope = [
        aws.cloudwatch.EventConnectionAuthParametersOauthOauthHttpParametersBodyArgs(key=key, value=value)
        for key, value in (("grant_type", "client_credentials"), ("scope", client.scope))
        if value is not None
    ]
    return aws.cloudwatch.EventConnectionAuthParametersOauthArgs(
        authorization_endpoint=client.token_url,
        http_method=client.method,
        client_parameters=aws.cloudwatch.EventConnectionAuthParametersOauthClientParametersArgs(
            client_id=client.client_id, client_secret=pulumi.Output.secret(client.client_secret)
        ),
        oauth_http_parameters=aws.cloudwatch.EventConnectionAuthParametersOauthOauthHttpParametersArgs(bodies=scope),
    )
