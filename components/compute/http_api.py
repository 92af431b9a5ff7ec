"""HttpApi: an API Gateway HTTP API with one route, throttled and logged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.http_api_integrations import Bound, Integration
from components.compute.task_definition import LOG_RETENTION_DAYS
from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.place import place_of
from components.core.validation import Check, OneOf, Range, check

__all__ = ["HttpApi", "HttpApiArgs", "IamAuthorization", "JwtAuthorization"]

_SERVICE = "apigateway.amazonaws.com"
_DEFAULT_STAGE = "$default"
_LOG_FIELDS = (
    "requestId",
    "ip",
    "requestTime",
    "routeKey",
    "status",
    "responseLength",
    "responseLatency",
    "integrationStatus",
    "integrationLatency",
    "integrationErrorMessage",
)
"""API Gateway developer guide, "Customizing HTTP API access logs"."""


@dataclass(frozen=True, kw_only=True)
class JwtAuthorization:
    """Callers show a token of an OpenID Connect issuer.

    Attributes:
        issuer: https URL, as in the token's ``iss``.
        audience: one of these must be in the token's ``aud`` or ``client_id``.
        scopes: one of these must be in the token's ``scope``; default none is asked for.
    """

    issuer: str
    audience: Sequence[str]
    scopes: Sequence[str] = ()


@dataclass(frozen=True)
class IamAuthorization:
    """Callers sign their requests (Signature Version 4) and may execute-api:Invoke."""


@dataclass(frozen=True, kw_only=True)
class HttpApiArgs:
    """Arguments of `HttpApi`.

    Attributes:
        integration: what gets the requests.
        authorization: default None: API Gateway lets everybody pass. The tasks may ask for a key.
        requests_per_second: what the API takes on average, 1 to 10,000; default 100. More is answered with 429.
        burst: requests at once, 1 to 5,000; default 200.
        log_retention_days: of the access log, one of `LOG_RETENTION_DAYS`; default 30.
        description: shown in the console.
    """

    integration: Integration
    authorization: JwtAuthorization | IamAuthorization | None = None
    requests_per_second: int = 100
    burst: int = 200
    log_retention_days: int = 30
    description: str | None = None


_RULES = (
    Range("requests_per_second", 1, 10_000, "requests"),
    Range("burst", 1, 5_000, "requests"),
    OneOf("log_retention_days", LOG_RETENTION_DAYS),
    Check(
        ("authorization",),
        lambda args: (
            isinstance(args.authorization, JwtAuthorization) and not args.authorization.issuer.startswith("https://")
        ),
        lambda args: f"authorization.issuer is {args.authorization.issuer!r}; allowed is an https URL",
    ),
    Check(
        ("authorization",),
        lambda args: isinstance(args.authorization, JwtAuthorization) and not args.authorization.audience,
        "authorization.audience is empty; name what the tokens are for, or any token of the issuer would do",
    ),
)


class HttpApi(Component):
    """An API on the stage ``$default``, so that its URL has no stage in it. What no route takes is answered with 404.

    Attributes:
        url: ``https://<id>.execute-api.<region>.amazonaws.com``, without a path.
        api_id: of the API; a metric dimension.
        log_group_name: of the access log.
        api, stage: the raw resources.
    """

    def __init__(self, name: str, args: HttpApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"HttpApi {name!r}", args, _RULES)
        self._args = args
        self.api = aws.apigatewayv2.Api(name, protocol_type="HTTP", description=args.description, opts=self.child())
        self.api_id: pulumi.Output[str] = self.api.id
        self.url: pulumi.Output[str] = self.api.api_endpoint
        self._create_route(args.integration.bind(self))
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-access", retention_in_days=args.log_retention_days, opts=self.child()
        )
        self.log_group_name: pulumi.Output[str] = log_group.name
        self.stage = self._create_stage(log_group)
        self.publish({"url": self.url, "api_id": self.api_id})

    def _create_route(self, bound: Bound) -> None:
        role, policy = self._create_role(bound.statements) if bound.statements else (None, None)
        integration = aws.apigatewayv2.Integration(
            f"{self.name}-integration",
            api_id=self.api_id,
            credentials_arn=role.arn if role else None,
            opts=self.child(depends_on=[policy] if policy else None),
            **bound.settings,
        )
        authorization = self._args.authorization
        kind, authorizer_id, scopes = "NONE", None, None
        if isinstance(authorization, IamAuthorization):
            kind = "AWS_IAM"
        elif isinstance(authorization, JwtAuthorization):
            kind, authorizer_id = "JWT", self._create_authorizer(authorization).id
            scopes = list(authorization.scopes) or None
        aws.apigatewayv2.Route(
            f"{self.name}-route",
            api_id=self.api_id,
            route_key=bound.route_key,
            target=pulumi.Output.concat("integrations/", integration.id),
            authorization_type=kind,
            authorizer_id=authorizer_id,
            authorization_scopes=scopes,
            opts=self.child(),
        )

    def _create_role(self, statements: Sequence[Statement]) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        account_id = place_of(self).account_id
        trust = Statement(
            actions=["sts:AssumeRole"],
            principals={"Service": _SERVICE},
            # API Gateway does not promise to send the key, and without it a plain StringEquals refuses everything.
            conditions={"StringEqualsIfExists": {"aws:SourceAccount": account_id}},
        )
        role = aws.iam.Role(
            f"{self.name}-role",
            description=f"Lets the HTTP API {self.name} hand over what it accepts",
            assume_role_policy=policy_document([trust]),
            opts=self.child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self.name}-role-policy", role=role.name, policy=policy_document(statements), opts=self.child()
        )
        return role, policy

    def _create_authorizer(self, jwt: JwtAuthorization) -> aws.apigatewayv2.Authorizer:
        return aws.apigatewayv2.Authorizer(
            f"{self.name}-authorizer",
            api_id=self.api_id,
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration=aws.apigatewayv2.AuthorizerJwtConfigurationArgs(
                issuer=jwt.issuer, audiences=list(jwt.audience)
            ),
            opts=self.child(),
        )

    def _create_stage(self, log_group: aws.cloudwatch.LogGroup) -> aws.apigatewayv2.Stage:
        return aws.apigatewayv2.Stage(
            f"{self.name}-stage",
            api_id=self.api_id,
            name=_DEFAULT_STAGE,
            auto_deploy=True,
            access_log_settings=aws.apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=log_group.arn,
                format=json.dumps({field: f"$context.{field}" for field in _LOG_FIELDS}, separators=(",", ":")),
            ),
            default_route_settings=aws.apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=self._args.requests_per_second,
                throttling_burst_limit=self._args.burst,
            ),
            opts=self.child(),
        )
