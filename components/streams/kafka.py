"""KafkaCluster: Amazon MSK, serverless or provisioned, with IAM authentication over TLS and nothing else.

Topics are code, too. MSK's own API creates them on a provisioned cluster; it does not exist on a serverless one, where
the worker creates its topics through Kafka's admin protocol when it starts, with a permission for exactly those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.validation import check
from components.streams.kafka_args import (
    CLUSTER_RULES,
    TOPIC_RULES,
    KafkaClusterArgs,
    KafkaKind,
    KafkaTopicArgs,
    MonitoringLevel,
)

__all__ = [
    "IAM_PORT",
    "KafkaCluster",
    "KafkaClusterArgs",
    "KafkaKind",
    "KafkaTopic",
    "KafkaTopicArgs",
    "MonitoringLevel",
]

IAM_PORT = 9098
"""Where brokers expect IAM authentication, inside the VPC (MSK developer guide, "Port information")."""

_EXPORTER_PORTS = (11001, 11002)
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, kw_only=True)
class KafkaTopic:
    """A topic of a cluster.

    Attributes:
        name: as clients use it.
        arn: as policies name it.
        partitions, retention_hours: in force.
        configuration: as Kafka spells it.
        replication_factor: copies of each partition.
        resource: the raw topic; None on a serverless cluster, where the worker creates it.
    """

    name: str
    arn: pulumi.Output[str]
    partitions: int
    retention_hours: int
    configuration: dict[str, str]
    replication_factor: int
    resource: aws.msk.Topic | None


class KafkaCluster(Component):
    """Brokers that only the tasks of their network reach, and only with an IAM role that names the topic and the group.

    Attributes:
        arn, cluster_name: of the cluster.
        bootstrap_servers: where clients begin, with commas between.
        security_group_id: of the brokers.
        kind, broker_count: in force; `broker_count` is 0 when serverless.
        topics: by name.
        cluster: the raw cluster.
        configuration, log_group: the raw resources; None when serverless.
    """

    def __init__(self, name: str, args: KafkaClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"KafkaCluster {name!r}", args, CLUSTER_RULES)
        self.kind = args.kind
        self.broker_count = 0
        self.topics: dict[str, KafkaTopic] = {}
        self.configuration: aws.msk.Configuration | None = None
        self.log_group: aws.cloudwatch.LogGroup | None = None
        self._replication_factor = 3 if args.kind == KafkaKind.SERVERLESS else args.zones
        self.security_group_id = self._create_security_group(args)
        self.cluster: aws.msk.Cluster | aws.msk.ServerlessCluster
        if args.kind == KafkaKind.SERVERLESS:
            self.cluster = self._create_serverless(args)
        else:
            self.broker_count = args.broker_count
            self.cluster = self._create_provisioned(args)
            if args.storage_ceiling_gib > args.storage_gib:
                self._scale_storage(args)
        self.arn: pulumi.Output[str] = self.cluster.arn
        self.cluster_name: pulumi.Output[str] = self.cluster.cluster_name
        self.bootstrap_servers: pulumi.Output[str] = self.cluster.bootstrap_brokers_sasl_iam
        self.publish({"arn": self.arn, "cluster_name": self.cluster_name, "bootstrap_servers": self.bootstrap_servers})

    def topic(self, name: str, args: KafkaTopicArgs | None = None) -> KafkaTopic:
        """Create a topic.

        Raises:
            InvalidArgsError: a name that Kafka refuses, an argument out of range, or a topic that is there already.
        """
        args = args or KafkaTopicArgs()
        where = f"KafkaCluster {self.name!r}"
        if not _TOPIC.fullmatch(name) or name in (".", ".."):
            problem = f"topic {name!r}: allowed are 1 to 249 letters, digits, dots, hyphens and underscores"
            raise InvalidArgsError(where, [problem])
        if name in self.topics:
            raise InvalidArgsError(where, [f"the topic {name!r} is created twice; share it or take another name"])
        check(f"{where}, topic {name!r}", args, TOPIC_RULES)
        self.topics[name] = KafkaTopic(
            name=name,
            arn=self._arn("topic", name),
            partitions=args.partitions,
            retention_hours=args.retention_hours,
            configuration=args.configuration(),
            replication_factor=self._replication_factor,
            resource=None if self.kind == KafkaKind.SERVERLESS else self._create_topic(name, args),
        )
        return self.topics[name]

    def _create_topic(self, name: str, args: KafkaTopicArgs) -> aws.msk.Topic:
        return aws.msk.Topic(
            f"{self.name}-{name}",
            cluster_arn=self.arn,
            name=name,
            partition_count=args.partitions,
            replication_factor=self._replication_factor,
            configs=json.dumps(args.configuration(), sort_keys=True),
            opts=self.child(),
        )

    def consume(self, topic: KafkaTopic, group: str) -> list[Statement]:
        """What the role of a member of the consumer group needs."""
        return [
            self._connect(),
            Statement(actions=["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"], resources=[topic.arn]),
            Statement(
                actions=["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"],
                resources=[self._arn("group", group)],
            ),
        ]

    def produce(self, topic: KafkaTopic) -> list[Statement]:
        """What a producer's role needs, an idempotent one's, too."""
        return [
            self._connect(),
            Statement(actions=["kafka-cluster:WriteDataIdempotently"], resources=[self.arn]),
            Statement(actions=["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], resources=[topic.arn]),
        ]

    def create_topics(self, topics: Sequence[KafkaTopic]) -> list[Statement]:
        """What the role of a client needs that creates these topics where MSK cannot; nothing on other clusters."""
        if self.kind != KafkaKind.SERVERLESS:
            return []
        actions = ["kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopic"]
        return [self._connect(), Statement(actions=actions, resources=[topic.arn for topic in topics])]

    def _connect(self) -> Statement:
        return Statement(actions=["kafka-cluster:Connect"], resources=[self.arn])

    def _arn(self, kind: str, name: str) -> pulumi.Output[str]:
        """``…:cluster/<name>/<uuid>`` → ``…:<kind>/<name>/<uuid>/<what>`` (MSK developer guide, "Resources")."""
        return self.arn.apply(lambda arn: f"{arn.replace(':cluster/', f':{kind}/', 1)}/{name}")

    def _create_security_group(self, args: KafkaClusterArgs) -> pulumi.Output[str]:
        tasks = args.network.task_security_group_id
        group = aws.ec2.SecurityGroup(
            f"{self.name}-brokers",
            vpc_id=args.network.vpc_id,
            description="Kafka brokers: IAM clients among the tasks",
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self.name}-brokers-ingress",
            security_group_id=group.id,
            referenced_security_group_id=tasks,
            ip_protocol="tcp",
            from_port=IAM_PORT,
            to_port=IAM_PORT,
            opts=self.child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self.name}-tasks-egress",
            security_group_id=tasks,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=IAM_PORT,
            to_port=IAM_PORT,
            opts=self.child(),
        )
        for number, scraper in enumerate(args.monitoring_security_group_ids):
            # Named after the group where it is known: by their numbers, leaving one out would change those behind it
            # into rules that exist, which EC2 refuses.
            label = scraper if isinstance(scraper, str) else number
            for port in _EXPORTER_PORTS:
                aws.vpc.SecurityGroupIngressRule(
                    f"{self.name}-scraper-{label}-{port}",
                    security_group_id=group.id,
                    referenced_security_group_id=scraper,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self.child(),
                )
        return group.id

    def _create_serverless(self, args: KafkaClusterArgs) -> aws.msk.ServerlessCluster:
        return aws.msk.ServerlessCluster(
            self.name,
            vpc_configs=[
                aws.msk.ServerlessClusterVpcConfigArgs(
                    subnet_ids=args.network.task_subnet_ids, security_group_ids=[self.security_group_id]
                )
            ],
            client_authentication=aws.msk.ServerlessClusterClientAuthenticationArgs(
                sasl=aws.msk.ServerlessClusterClientAuthenticationSaslArgs(
                    iam=aws.msk.ServerlessClusterClientAuthenticationSaslIamArgs(enabled=True)
                )
            ),
            opts=self.child(),
        )

    def _create_provisioned(self, args: KafkaClusterArgs) -> aws.msk.Cluster:
        self.configuration = aws.msk.Configuration(
            f"{self.name}-configuration",
            kafka_versions=[args.kafka_version],
            server_properties=_server_properties(args),
            opts=self.child(),
        )
        self.log_group = aws.cloudwatch.LogGroup(
            f"{self.name}-logs", retention_in_days=args.log_retention_days, opts=self.child()
        )
        key = args.encryption_key
        return aws.msk.Cluster(
            self.name,
            kafka_version=args.kafka_version,
            number_of_broker_nodes=args.broker_count,
            broker_node_group_info=aws.msk.ClusterBrokerNodeGroupInfoArgs(
                instance_type=args.instance_type,
                client_subnets=args.network.task_subnet_ids,
                security_groups=[self.security_group_id],
                storage_info=aws.msk.ClusterBrokerNodeGroupInfoStorageInfoArgs(
                    ebs_storage_info=aws.msk.ClusterBrokerNodeGroupInfoStorageInfoEbsStorageInfoArgs(
                        volume_size=args.storage_gib
                    )
                ),
            ),
            configuration_info=aws.msk.ClusterConfigurationInfoArgs(
                arn=self.configuration.arn, revision=self.configuration.latest_revision
            ),
            client_authentication=aws.msk.ClusterClientAuthenticationArgs(
                sasl=aws.msk.ClusterClientAuthenticationSaslArgs(iam=True), unauthenticated=False
            ),
            encryption_info=aws.msk.ClusterEncryptionInfoArgs(
                encryption_at_rest_kms_key_arn=key.arn if key else None,
                encryption_in_transit=aws.msk.ClusterEncryptionInfoEncryptionInTransitArgs(
                    client_broker="TLS", in_cluster=True
                ),
            ),
            enhanced_monitoring=args.monitoring,
            open_monitoring=_open_monitoring() if args.open_monitoring else None,
            logging_info=aws.msk.ClusterLoggingInfoArgs(
                broker_logs=aws.msk.ClusterLoggingInfoBrokerLogsArgs(
                    cloudwatch_logs=aws.msk.ClusterLoggingInfoBrokerLogsCloudwatchLogsArgs(
                        enabled=True, log_group=self.log_group.name
                    )
                )
            ),
            # Storage grows by itself, and MSK refuses to shrink it.
            opts=self.child(ignore_changes=["brokerNodeGroupInfo.storageInfo.ebsStorageInfo.volumeSize"]),
        )

    def _scale_storage(self, args: KafkaClusterArgs) -> None:
        target = aws.appautoscaling.Target(
            f"{self.name}-storage",
            service_namespace="kafka",
            scalable_dimension="kafka:broker-storage:VolumeSize",
            resource_id=self.cluster.arn,
            min_capacity=1,
            max_capacity=args.storage_ceiling_gib,
            opts=self.child(),
        )
        aws.appautoscaling.Policy(
            f"{self.name}-storage-use",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=(
                aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                    predefined_metric_specification=(
                        aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                            predefined_metric_type="KafkaBrokerStorageUtilization"
                        )
                    ),
                    target_value=args.storage_target_percent,
                    disable_scale_in=True,
                )
            ),
            opts=self.child(),
        )


def _server_properties(args: KafkaClusterArgs) -> str:
    """A topic survives a zone: with three copies two must have a record, with two copies one."""
    properties = {
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(args.zones),
        "min.insync.replicas": str(args.zones - 1),
        "unclean.leader.election.enable": "false",
        **args.configuration,
    }
    return "".join(f"{key}={properties[key]}\n" for key in sorted(properties))


def _open_monitoring() -> aws.msk.ClusterOpenMonitoringArgs:
    return aws.msk.ClusterOpenMonitoringArgs(
        prometheus=aws.msk.ClusterOpenMonitoringPrometheusArgs(
            jmx_exporter=aws.msk.ClusterOpenMonitoringPrometheusJmxExporterArgs(enabled_in_broker=True),
            node_exporter=aws.msk.ClusterOpenMonitoringPrometheusNodeExporterArgs(enabled_in_broker=True),
        )
    )
