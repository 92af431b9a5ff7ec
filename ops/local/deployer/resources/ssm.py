"""AWS Systems Manager Parameter Store."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_parameter"]


@creates(
    "aws:ssm/parameter:Parameter",
    "allowedPattern",
    "dataType",
    "description",
    "insecureValue",
    "keyId",
    "name",
    "overwrite",
    "tier",
    "type",
    "value",
)
def create_parameter(request: Request) -> Created:
    name = request.physical_name(max_length=1011)
    value = request.get("value") or request["insecureValue"]
    version = request.call(
        "ssm",
        "put_parameter",
        Name=name,
        Value=value,
        **request.pick("allowedPattern", "dataType", "description", "keyId", "overwrite", "tier", "type"),
    )["Version"]
    arn = request.call("ssm", "get_parameter", Name=name)["Parameter"]["ARN"]
    return Created(name, {"name": name, "arn": arn, "version": version, "value": value})
