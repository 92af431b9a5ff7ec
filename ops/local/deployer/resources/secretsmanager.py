"""AWS Secrets Manager: secrets, their values, generated passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, answers, creates

__all__ = ["create_secret", "create_secret_version", "random_password", "secret_version"]


@creates("aws:secretsmanager/secret:Secret", "description", "kmsKeyId", "name", "recoveryWindowInDays")
def create_secret(request: Request) -> Created:
    name = request.physical_name(max_length=512)
    arn = request.call("secretsmanager", "create_secret", Name=name, **request.pick("description", "kmsKeyId"))["ARN"]
    return Created(arn, {"name": name, "arn": arn})


@creates("aws:secretsmanager/secretVersion:SecretVersion", "secretId", "secretString")
def create_secret_version(request: Request) -> Created:
    version = request.call("secretsmanager", "put_secret_value", **request.pick("secretId", "secretString"))
    return Created(
        f"{request['secretId']}|{version['VersionId']}", {"arn": version["ARN"], "versionId": version["VersionId"]}
    )


@answers("aws:secretsmanager/getRandomPassword:getRandomPassword")
def random_password(request: Request) -> Mapping[str, Any]:
    password = request.call(
        "secretsmanager",
        "get_random_password",
        **request.pick(
            "excludeCharacters",
            "excludeLowercase",
            "excludeNumbers",
            "excludePunctuation",
            "excludeUppercase",
            "includeSpace",
            "passwordLength",
            "requireEachIncludedType",
        ),
    )["RandomPassword"]
    return {"id": password, "randomPassword": password}


@answers("aws:secretsmanager/getSecretVersion:getSecretVersion")
def secret_version(request: Request) -> Mapping[str, Any]:
    found = request.call(
        "secretsmanager", "get_secret_value", SecretId=request["secretId"], **request.pick("versionId", "versionStage")
    )
    return {
        "id": f"{found['ARN']}|{found['VersionId']}",
        "arn": found["ARN"],
        "secretId": request["secretId"],
        "secretString": found["SecretString"],
        "versionId": found["VersionId"],
    }
