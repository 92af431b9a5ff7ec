"""Amazon API Gateway: HTTP APIs.

The embedded AWS serves them on its own port; the path form of an API's address works where names below ``localhost``
do not resolve.
"""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = [
    "create_api",
    "create_authorizer",
    "create_integration",
    "create_route",
    "create_stage",
    "create_vpc_link",
]

_MAX_NAME = 128


@creates("aws:apigatewayv2/api:Api", "corsConfiguration", "description", "name", "protocolType")
def create_api(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    api_id = request.call(
        "apigatewayv2", "create_api", Name=name, **request.pick("corsConfiguration", "description", "protocolType")
    )["ApiId"]
    region = request.region
    account = request.context.clients.account
    return Created(
        api_id,
        {
            "name": name,
            "arn": f"arn:aws:apigateway:{region}::/apis/{api_id}",
            "executionArn": f"arn:aws:execute-api:{region}:{account}:{api_id}",
            "apiEndpoint": f"{request.context.clients.endpoint_url}/_aws/execute-api/{api_id}",
        },
    )


@creates(
    "aws:apigatewayv2/integration:Integration",
    "apiId",
    "connectionId",
    "connectionType",
    "credentialsArn",
    "integrationMethod",
    "integrationSubtype",
    "integrationType",
    "integrationUri",
    "payloadFormatVersion",
    "requestParameters",
    "responseParameters",
    "timeoutMilliseconds",
)
def create_integration(request: Request) -> Created:
    responses = {item["statusCode"]: item["mappings"] for item in request.get("responseParameters", [])}
    integration_id = request.call(
        "apigatewayv2",
        "create_integration",
        ResponseParameters=responses or None,
        **request.pick(
            "apiId",
            "connectionId",
            "connectionType",
            "credentialsArn",
            "integrationMethod",
            "integrationSubtype",
            "integrationType",
            "integrationUri",
            "payloadFormatVersion",
            "requestParameters",
            timeoutInMillis="timeoutMilliseconds",
        ),
    )["IntegrationId"]
    return Created(integration_id, {})


@creates(
    "aws:apigatewayv2/route:Route",
    "apiId",
    "authorizationScopes",
    "authorizationType",
    "authorizerId",
    "routeKey",
    "target",
)
def create_route(request: Request) -> Created:
    route_id = request.call(
        "apigatewayv2",
        "create_route",
        **request.pick("apiId", "authorizationScopes", "authorizationType", "authorizerId", "routeKey", "target"),
    )["RouteId"]
    return Created(route_id, {})


@creates("aws:apigatewayv2/stage:Stage", "accessLogSettings", "apiId", "autoDeploy", "defaultRouteSettings", "name")
def create_stage(request: Request) -> Created:
    """Throttling and the access log are kept and not applied: see docs/embedded-aws.md."""
    name = request.physical_name(max_length=_MAX_NAME)
    request.call(
        "apigatewayv2",
        "create_stage",
        StageName=name,
        **request.pick("accessLogSettings", "apiId", "autoDeploy", "defaultRouteSettings"),
    )
    return Created(name, {"name": name})


@creates(
    "aws:apigatewayv2/authorizer:Authorizer",
    "apiId",
    "authorizerType",
    "identitySources",
    "jwtConfiguration",
    "name",
)
def create_authorizer(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    jwt = request.get("jwtConfiguration")
    authorizer_id = request.call(
        "apigatewayv2",
        "create_authorizer",
        Name=name,
        IdentitySource=request.get("identitySources"),
        JwtConfiguration={"audience": jwt.get("audiences"), "issuer": jwt.get("issuer")} if jwt else None,
        **request.pick("apiId", "authorizerType"),
    )["AuthorizerId"]
    return Created(authorizer_id, {"name": name})


@creates("aws:apigatewayv2/vpcLink:VpcLink", "name", "securityGroupIds", "subnetIds")
def create_vpc_link(request: Request) -> Created:
    """Tasks are local processes, which everything on this machine reaches: a link is a name here."""
    name = request.physical_name(max_length=_MAX_NAME)
    return Created(f"vpclink-{name}", {"name": name})
