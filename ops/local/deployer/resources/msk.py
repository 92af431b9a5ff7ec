"""Amazon MSK: configurations, clusters and topics."""

from __future__ import annotations

import base64
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_cluster", "create_configuration", "create_serverless_cluster", "create_topic"]

_MAX_NAME = 64


@creates("aws:msk/configuration:Configuration", "description", "kafkaVersions", "name", "serverProperties")
def create_configuration(request: Request) -> Created:
    name = request.physical_name()
    answer = request.client("kafka").create_configuration(
        Name=name,
        KafkaVersions=request.get("kafkaVersions", []),
        ServerProperties=request["serverProperties"].encode(),
    )
    revision = answer["LatestRevision"]["Revision"]
    return Created(answer["Arn"], {"arn": answer["Arn"], "name": name, "latestRevision": revision})


@creates(
    "aws:msk/cluster:Cluster",
    "brokerNodeGroupInfo",
    "clientAuthentication",
    "clusterName",
    "configurationInfo",
    "encryptionInfo",
    "enhancedMonitoring",
    "kafkaVersion",
    "loggingInfo",
    "numberOfBrokerNodes",
    "openMonitoring",
)
def create_cluster(request: Request) -> Created:
    name = request.physical_name(key="clusterName", max_length=_MAX_NAME)
    nodes = request["brokerNodeGroupInfo"]
    arn = request.client("kafka").create_cluster(
        ClusterName=name,
        KafkaVersion=request["kafkaVersion"],
        NumberOfBrokerNodes=request["numberOfBrokerNodes"],
        BrokerNodeGroupInfo={
            "ClientSubnets": nodes["clientSubnets"],
            "InstanceType": nodes["instanceType"],
            "SecurityGroups": nodes.get("securityGroups", []),
        },
    )["ClusterArn"]
    return _created(request, arn, name)


@creates("aws:msk/serverlessCluster:ServerlessCluster", "clientAuthentication", "clusterName", "vpcConfigs")
def create_serverless_cluster(request: Request) -> Created:
    name = request.physical_name(key="clusterName", max_length=_MAX_NAME)
    networks = [
        {"SubnetIds": item["subnetIds"], "SecurityGroupIds": item.get("securityGroupIds", [])}
        for item in request["vpcConfigs"]
    ]
    arn = request.client("kafka").create_cluster_v2(ClusterName=name, Serverless={"VpcConfigs": networks})["ClusterArn"]
    return _created(request, arn, name)


def _created(request: Request, arn: str, name: str) -> Created:
    answer: dict[str, Any] = request.client("kafka").get_bootstrap_brokers(ClusterArn=arn)
    return Created(
        arn,
        {
            "arn": arn,
            "clusterName": name,
            "clusterUuid": arn.rsplit("/", 1)[-1],
            "bootstrapBrokersSaslIam": answer["BootstrapBrokerStringSaslIam"],
        },
    )


@creates("aws:msk/topic:Topic", "clusterArn", "configs", "name", "partitionCount", "replicationFactor")
def create_topic(request: Request) -> Created:
    name = request.physical_name(max_length=249)
    answer = request.call(
        "kafka",
        "create_topic",
        ClusterArn=request["clusterArn"],
        TopicName=name,
        PartitionCount=request["partitionCount"],
        ReplicationFactor=request["replicationFactor"],
        Configs=_encoded(request.get("configs")),
    )
    return Created(f"{request['clusterArn']},{name}", {"arn": answer["TopicArn"], "name": name})


def _encoded(configs: str | None) -> str | None:
    """The API takes the JSON text in base64; the provider encodes it, too."""
    return base64.b64encode(configs.encode()).decode() if configs else None
