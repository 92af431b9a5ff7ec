"""Gap: MSK clusters with a broker behind them, serverless clusters, and topics.

MiniStack has the control plane of provisioned clusters only, and no broker.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import msk

from ops.local.server import kafka_brokers
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    "services.msk._bootstrap_strings",
    "services.msk._clusters",
    "services.msk._create_cluster",
    "services.msk._delete_cluster",
    "services.msk._error",
    "services.msk._json",
    "services.msk._validate_existing_cluster_arn",
    "services.msk.handle_request",
)

Answer = tuple[int, dict[str, str], bytes]
Document = dict[str, Any]

_CLUSTER_V2 = re.compile(r"^/api/v2/clusters/(.+)$")
_TOPICS = re.compile(r"^/v1/clusters/(.+?)/topics$")
_TOPIC = re.compile(r"^/v1/clusters/(.+?)/topics/([^/]+)$")

_topics = AccountRegionScopedDict()  # (cluster ARN, topic name) -> topic


def install(settings: ServerSettings) -> None:
    """Answer the requests that MiniStack has no route for, and give every cluster its broker."""
    known: Callable[..., Awaitable[Answer]] = msk.handle_request
    delete = msk._delete_cluster

    async def handle(method: str, path: str, headers: object, body: bytes, query: object) -> Answer:
        if method == "POST" and path == "/api/v2/clusters":
            return _create_cluster_v2(json.loads(body or b"{}"))
        if method == "GET" and (match := _CLUSTER_V2.match(path)):
            return _describe_cluster_v2(unquote(match.group(1)))
        if match := _TOPICS.match(path):
            arn = unquote(match.group(1))
            return _create_topic(arn, json.loads(body or b"{}")) if method == "POST" else _list_topics(arn)
        if method == "GET" and (match := _TOPIC.match(path)):
            return _describe_topic(unquote(match.group(1)), unquote(match.group(2)))
        return await known(method, path, headers, body, query)

    def delete_with_broker(arn: str) -> Answer:
        cluster = msk._clusters.get(arn)
        if cluster:
            kafka_brokers.stop_broker(cluster["ClusterName"])
        answer: Answer = delete(arn)
        return answer

    msk.handle_request = handle
    msk._delete_cluster = delete_with_broker
    msk._bootstrap_strings = _bootstrap_strings


def _bootstrap_strings(cluster_name: str) -> Document:
    """One listener, and it has neither TLS nor authentication: the address for IAM clients says so."""
    address = kafka_brokers.broker_address(cluster_name)
    marked = ",".join(f"{kafka_brokers.PLAINTEXT}{server}" for server in address.split(","))
    return {"BootstrapBrokerString": address, "BootstrapBrokerStringSaslIam": marked}


def _answer(document: Document) -> Answer:
    answer: Answer = msk._json(document)
    return answer


def _refusal(arn: str) -> Answer | None:
    refusal: Answer | None = msk._validate_existing_cluster_arn(arn)
    return refusal


def _create_cluster_v2(request: Document) -> Answer:
    serverless = request.get("serverless")
    details: Document = serverless or request.get("provisioned") or {}
    status, headers, body = msk._create_cluster(json.dumps({**details, "clusterName": request.get("clusterName")}))
    if status != 200:
        return status, headers, body
    arn: str = json.loads(body)["clusterArn"]
    kind = "SERVERLESS" if serverless is not None else "PROVISIONED"
    msk._clusters[arn].update(ClusterType=kind, Details=details)
    return _answer({**_summary(msk._clusters[arn]), "ClusterType": kind})


def _summary(cluster: Document) -> Document:
    return {name: cluster[name] for name in ("ClusterArn", "ClusterName", "State")}


def _describe_cluster_v2(arn: str) -> Answer:
    if refusal := _refusal(arn):
        return refusal
    cluster = msk._clusters.get(arn)
    kind = cluster.get("ClusterType", "PROVISIONED")
    info = {
        **_summary(cluster),
        "ClusterType": kind,
        "CreationTime": cluster["CreationTime"],
        "CurrentVersion": cluster["CurrentVersion"],
        kind.title(): cluster.get("Details", {}),
    }
    return _answer({"ClusterInfo": info})


def _create_topic(arn: str, request: Document) -> Answer:
    if refusal := _refusal(arn):
        return refusal
    cluster = msk._clusters.get(arn)
    name = request["topicName"]
    if cluster.get("ClusterType") == "SERVERLESS":
        refused: Answer = msk._error("BadRequestException", "Topics of a serverless cluster: use Kafka's API", 400)
        return refused
    if (arn, name) in _topics:
        exists: Answer = msk._error("TopicExistsException", f"Topic {name} already exists.", 409)
        return exists
    if request.get("configs"):
        json.loads(base64.b64decode(request["configs"]))  # a mistake is an error here, too
    kafka_brokers.create_topic(cluster["ClusterName"], name)
    _topics[arn, name] = {
        "TopicArn": f"{arn.replace(':cluster/', ':topic/', 1)}/{name}",
        "TopicName": name,
        "PartitionCount": request["partitionCount"],
        "ReplicationFactor": request["replicationFactor"],
        "Configs": request.get("configs", ""),
        "Status": "ACTIVE",
    }
    return _answer({key: _topics[arn, name][key] for key in ("TopicArn", "TopicName", "Status")})


def _list_topics(arn: str) -> Answer:
    if refusal := _refusal(arn):
        return refusal
    fields = ("TopicArn", "TopicName", "PartitionCount", "ReplicationFactor")
    found = [{key: topic[key] for key in fields} for (owner, _), topic in _topics.items() if owner == arn]
    return _answer({"Topics": found})


def _describe_topic(arn: str, name: str) -> Answer:
    topic = _topics.get((arn, name))
    if topic is None:
        missing: Answer = msk._error("NotFoundException", f"Topic {name} does not exist.", 404)
        return missing
    return _answer(topic)
