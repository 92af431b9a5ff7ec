"""What targets of rules need: API destinations, connections, policies of log groups."""

from __future__ import annotations

from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_api_destination", "create_connection", "create_log_policy"]

_MAX_NAME = 64


@creates(
    "aws:cloudwatch/eventConnection:EventConnection",
    "authParameters",
    "authorizationType",
    "description",
    "kmsKeyIdentifier",
    "name",
)
def create_connection(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    given = request["authParameters"]
    parameters: dict[str, Any] = {}
    if "apiKey" in given:
        parameters["ApiKeyAuthParameters"] = {
            "ApiKeyName": given["apiKey"]["key"],
            "ApiKeyValue": given["apiKey"]["value"],
        }
    if "basic" in given:
        parameters["BasicAuthParameters"] = {
            "Username": given["basic"]["username"],
            "Password": given["basic"]["password"],
        }
    if "oauth" in given:
        parameters["OAuthParameters"] = _oauth(given["oauth"])
    arn = request.client("events").create_connection(
        Name=name, AuthorizationType=request["authorizationType"], AuthParameters=parameters
    )["ConnectionArn"]
    return Created(name, {"name": name, "arn": arn})


def _oauth(oauth: dict[str, Any]) -> dict[str, Any]:
    client = oauth["clientParameters"]
    http = oauth.get("oauthHttpParameters", {})
    return {
        "AuthorizationEndpoint": oauth["authorizationEndpoint"],
        "HttpMethod": oauth["httpMethod"],
        "ClientParameters": {"ClientID": client["clientId"], "ClientSecret": client["clientSecret"]},
        "OAuthHttpParameters": {
            "BodyParameters": [{"Key": item["key"], "Value": item["value"]} for item in http.get("bodies", [])]
        },
    }


@creates(
    "aws:cloudwatch/eventApiDestination:EventApiDestination",
    "connectionArn",
    "description",
    "httpMethod",
    "invocationEndpoint",
    "invocationRateLimitPerSecond",
    "name",
)
def create_api_destination(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    arn = request.call(
        "events",
        "create_api_destination",
        Name=name,
        **request.pick(
            "connectionArn", "description", "httpMethod", "invocationEndpoint", "invocationRateLimitPerSecond"
        ),
    )["ApiDestinationArn"]
    return Created(name, {"name": name, "arn": arn})


@creates("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "policyDocument", "policyName")
def create_log_policy(request: Request) -> Created:
    name = request["policyName"]
    request.call("logs", "put_resource_policy", PolicyName=name, PolicyDocument=request["policyDocument"])
    return Created(name, {})
