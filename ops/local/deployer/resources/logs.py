"""Amazon CloudWatch Logs."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_log_group"]


@creates("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", "logGroupClass", "name", "retentionInDays")
def create_log_group(request: Request) -> Created:
    name = request.physical_name(max_length=512)
    request.call("logs", "create_log_group", LogGroupName=name, **request.pick("kmsKeyId", "logGroupClass"))
    if request.get("retentionInDays"):  # 0 keeps the events for ever
        request.call("logs", "put_retention_policy", LogGroupName=name, RetentionInDays=request["retentionInDays"])
    account = request.context.clients.account
    return Created(name, {"name": name, "arn": f"arn:aws:logs:{request.region}:{account}:log-group:{name}"})
