"""AWS KMS: keys, aliases, key policies."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_alias", "create_key", "create_key_policy"]


@creates(
    "aws:kms/key:Key",
    "bypassPolicyLockoutSafetyCheck",
    "customerMasterKeySpec",
    "deletionWindowInDays",  # concerns the deletion only
    "description",
    "enableKeyRotation",
    "isEnabled",
    "keyUsage",
    "multiRegion",
    "policy",
    "rotationPeriodInDays",
)
def create_key(request: Request) -> Created:
    metadata = request.call(
        "kms",
        "create_key",
        **request.pick(
            "bypassPolicyLockoutSafetyCheck",
            "description",
            "keyUsage",
            "multiRegion",
            "policy",
            KeySpec="customerMasterKeySpec",
        ),
    )["KeyMetadata"]
    key_id = metadata["KeyId"]
    if request.get("enableKeyRotation"):
        request.call("kms", "enable_key_rotation", KeyId=key_id, **request.pick("rotationPeriodInDays"))
    if request.get("isEnabled") is False:
        request.call("kms", "disable_key", KeyId=key_id)
    return Created(key_id, {"arn": metadata["Arn"], "keyId": key_id})


@creates("aws:kms/keyPolicy:KeyPolicy", "keyId", "policy", "bypassPolicyLockoutSafetyCheck")
def create_key_policy(request: Request) -> Created:
    request.call("kms", "put_key_policy", PolicyName="default", **request.inputs)
    return Created(request["keyId"], {})


@creates("aws:kms/alias:Alias", "name", "targetKeyId")
def create_alias(request: Request) -> Created:
    name = request.get("name") or f"alias/{request.physical_name(max_length=256 - len('alias/'))}"
    key_id = request["targetKeyId"]
    request.call("kms", "create_alias", AliasName=name, TargetKeyId=key_id)
    key_arn = request.call("kms", "describe_key", KeyId=key_id)["KeyMetadata"]["Arn"]
    return Created(name, {"name": name, "arn": f"{key_arn.rsplit(':', 1)[0]}:{name}", "targetKeyArn": key_arn})
