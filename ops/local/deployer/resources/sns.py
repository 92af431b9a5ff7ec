"""Amazon SNS: topics, their policies, subscriptions."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_topic", "create_topic_policy", "create_topic_subscription"]

_TOPIC_ATTRIBUTES = {
    "archivePolicy": "ArchivePolicy",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoThroughputScope": "FifoThroughputScope",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_SUBSCRIPTION_ATTRIBUTES = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "replayPolicy": "ReplayPolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}


@creates("aws:sns/topic:Topic", "name", "fifoTopic", *_TOPIC_ATTRIBUTES)
def create_topic(request: Request) -> Created:
    fifo = bool(request.get("fifoTopic"))
    name = request.physical_name(suffix=".fifo" if fifo else "", max_length=256)
    attributes = {attribute: request.get(key) for key, attribute in _TOPIC_ATTRIBUTES.items()}
    if fifo:
        attributes["FifoTopic"] = True
    arn = request.call("sns", "create_topic", Name=name, Attributes=attributes)["TopicArn"]
    return Created(arn, {"arn": arn, "name": name, "fifoTopic": fifo, "owner": request.context.clients.account})


@creates("aws:sns/topicPolicy:TopicPolicy", "arn", "policy")
def create_topic_policy(request: Request) -> Created:
    arn = request["arn"]
    request.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=request["policy"])
    return Created(arn, {"owner": request.context.clients.account})


@creates(
    "aws:sns/topicSubscription:TopicSubscription",
    "topic",
    "protocol",
    "endpoint",
    "confirmationTimeoutInMinutes",  # how long the provider waits for an HTTP endpoint to confirm
    "endpointAutoConfirms",
    *_SUBSCRIPTION_ATTRIBUTES,
)
def create_topic_subscription(request: Request) -> Created:
    attributes = {attribute: request.get(key) for key, attribute in _SUBSCRIPTION_ATTRIBUTES.items()}
    arn = request.call(
        "sns",
        "subscribe",
        TopicArn=request["topic"],
        Protocol=request["protocol"],
        Endpoint=request["endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Created(arn, {"arn": arn, "ownerId": request.context.clients.account})
