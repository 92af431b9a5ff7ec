"""Amazon SQS: queues and the policies set beside them."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_queue", "create_queue_policy", "create_redrive_allow_policy", "create_redrive_policy"]

_MAX_NAME = 80
# Property → attribute of CreateQueue, where they are not the same word.
_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


@creates("aws:sqs/queue:Queue", "name", "fifoQueue", *_ATTRIBUTES)
def create_queue(request: Request) -> Created:
    fifo = bool(request.get("fifoQueue"))
    name = request.physical_name(suffix=".fifo" if fifo else "", max_length=_MAX_NAME)
    attributes = {attribute: request.get(key) for key, attribute in _ATTRIBUTES.items()}
    if fifo:  # SQS refuses FifoQueue=false
        attributes["FifoQueue"] = True
    url = request.call("sqs", "create_queue", QueueName=name, Attributes=attributes)["QueueUrl"]
    answer = request.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
    return Created(url, {"url": url, "arn": answer["Attributes"]["QueueArn"], "name": name, "fifoQueue": fifo})


def _set_attribute(request: Request, attribute: str, key: str) -> Created:
    url = request["queueUrl"]
    request.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={attribute: request[key]})
    return Created(url, {})


@creates("aws:sqs/queuePolicy:QueuePolicy", "queueUrl", "policy")
def create_queue_policy(request: Request) -> Created:
    return _set_attribute(request, "Policy", "policy")


@creates("aws:sqs/redrivePolicy:RedrivePolicy", "queueUrl", "redrivePolicy")
def create_redrive_policy(request: Request) -> Created:
    return _set_attribute(request, "RedrivePolicy", "redrivePolicy")


@creates("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "queueUrl", "redriveAllowPolicy")
def create_redrive_allow_policy(request: Request) -> Created:
    return _set_attribute(request, "RedriveAllowPolicy", "redriveAllowPolicy")
