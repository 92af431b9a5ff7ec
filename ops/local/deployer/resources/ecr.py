"""Amazon ECR: repositories, lifecycle policies, and the login that a build would use."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, answers, creates

__all__ = ["authorization_token", "create_lifecycle_policy", "create_repository"]


@creates(
    "aws:ecr/repository:Repository",
    "encryptionConfigurations",
    "imageScanningConfiguration",
    "imageTagMutability",
    "name",
)
def create_repository(request: Request) -> Created:
    name = request.physical_name(max_length=256)
    encryption = request.get("encryptionConfigurations", [])
    repository = request.call(
        "ecr",
        "create_repository",
        RepositoryName=name,
        EncryptionConfiguration=encryption[0] if encryption else None,
        **request.pick("imageScanningConfiguration", "imageTagMutability"),
    )["repository"]
    return Created(
        name,
        {
            "name": name,
            "arn": repository["repositoryArn"],
            "registryId": repository["registryId"],
            "repositoryUrl": repository["repositoryUri"],
        },
    )


@creates("aws:ecr/lifecyclePolicy:LifecyclePolicy", "policy", "repository")
def create_lifecycle_policy(request: Request) -> Created:
    name = request["repository"]
    answer = request.call("ecr", "put_lifecycle_policy", RepositoryName=name, LifecyclePolicyText=request["policy"])
    return Created(name, {"registryId": answer["registryId"]})


@answers("aws:ecr/getAuthorizationToken:getAuthorizationToken")
def authorization_token(request: Request) -> Mapping[str, Any]:
    data = request.call("ecr", "get_authorization_token")["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "id": request.region,
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].isoformat(),
        "proxyEndpoint": data["proxyEndpoint"],
        "userName": user,
        "password": password,
    }
