"""Broker: RabbitMQ or ActiveMQ on Amazon MQ, private, with its credentials in Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.naming import MAX_BROKER_NAME, check_name, stack_name
from components.core.outputs import json_text
from components.core.place import place_of
from components.core.validation import Check, OneOf, check
from components.encryption import EncryptionKey
from components.network import Network
from components.vpc import name_tag
from contracts.brokers import ENGINES, BrokerEngine, problems

__all__ = ["Broker", "BrokerArgs"]

_USERNAME = "worker"
_PASSWORD_LENGTH = 40
"""Amazon MQ takes 12 to 250 characters without ``, : =``; letters and digits need no escaping anywhere."""


@dataclass(frozen=True, kw_only=True)
class BrokerArgs:
    """Arguments of `Broker`.

    Attributes:
        network: whose tasks may connect; its subnets hold the broker. **A change replaces the broker.**
        engine: default RabbitMQ. **A change replaces the broker.**
        engine_version: ``major.minor``, Amazon MQ chooses the patch; default the newest of the engine. A newer minor
            version is applied in the maintenance window; a new major one needs a new broker: rename it.
        instance_type: default the smallest that AWS recommends for production (``mq.m7g.large``, ``mq.m5.large``).
        multi_az: RabbitMQ: a cluster of three nodes; ActiveMQ: an active and a standby broker. Default False, one
            instance, whose zone's failure stops it. **A change replaces the broker.**
        encryption_key: customer-managed key of the credentials, and of an ActiveMQ broker's storage (RabbitMQ's is
            always encrypted with a key that AWS owns). Default None. **A change replaces an ActiveMQ broker.**
        recovery_days: how long the deleted credentials can be brought back, 0 (gone at once) or 7 to 30; default 7.
        apply_immediately: reboot for a change instead of waiting for the maintenance window; default False.

    A replaced broker takes its messages with it: drain it first.
    """

    network: Network
    engine: BrokerEngine = BrokerEngine.RABBITMQ
    engine_version: str | None = None
    instance_type: str | None = None
    multi_az: bool = False
    encryption_key: EncryptionKey | None = None
    recovery_days: int = 7
    apply_immediately: bool = False


def _first_problem(args: BrokerArgs) -> str | None:
    if args.engine not in tuple(BrokerEngine):
        return None
    found = [f"{field} {text}" for field, text in problems(args.engine, args.engine_version, args.instance_type)]
    return found[0] if found else None


_RULES = (
    OneOf("engine", tuple(item.value for item in BrokerEngine)),
    Check(
        ("engine", "engine_version", "instance_type"),
        lambda args: _first_problem(args) is not None,
        lambda args: str(_first_problem(args)),
    ),
    Check(
        ("recovery_days",),
        lambda args: args.recovery_days != 0 and not 7 <= args.recovery_days <= 30,
        lambda args: f"recovery_days is {args.recovery_days!r}; allowed is 0 (gone at once) or 7 to 30",
    ),
    Check(
        ("multi_az", "network"),
        lambda args: args.multi_az and len(args.network.task_subnet_ids) < 2,
        lambda args: (
            f"multi_az needs subnets in at least 2 zones; the network has {len(args.network.task_subnet_ids)}; add one"
        ),
    ),
)


class Broker(Component):
    """A broker that nothing but the network's tasks can reach, and they only with TLS on the worker's port.

    Attributes:
        arn, broker_name, urls: of the broker; `urls` has the worker's endpoints with commas between.
        secret_arn: of the credentials, a JSON object with ``username`` and ``password``.
        engine: in force.
        metric_names: values of CloudWatch's dimension ``Broker``: ActiveMQ has one for each instance.
        security_group_id: of the broker.
        encryption_key: of the credentials; None is the one of Secrets Manager.
        broker: the raw broker.
    """

    def __init__(self, name: str, args: BrokerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_BROKER_NAME)
        check(f"Broker {name!r}", args, _RULES)
        self.engine = BrokerEngine(args.engine)
        self.encryption_key = args.encryption_key
        self.facts = ENGINES[self.engine]
        self.security_group_id: pulumi.Output[str] = self._create_security_group(args.network)
        self.secret_arn, password = self._create_credentials(args)
        self.broker = self._create_broker(args, password)
        self.arn: pulumi.Output[str] = self.broker.arn
        self.broker_name: pulumi.Output[str] = self.broker.broker_name
        self.urls: pulumi.Output[str] = self.broker.instances.apply(self._worker_urls)
        self.metric_names = self._metric_names(args.multi_az)
        self.publish(
            {
                "arn": self.arn,
                "broker_name": self.broker_name,
                "urls": self.urls,
                "secret_arn": self.secret_arn,
                "security_group_id": self.security_group_id,
            }
        )

    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """User name and password for a container's `secrets`, which its execution role may then read."""
        return {
            "username": pulumi.Output.concat(self.secret_arn, ":username::"),
            "password": pulumi.Output.concat(self.secret_arn, ":password::"),
        }

    def read_credentials(self) -> list[Statement]:
        """What a producer's role needs that reads the credentials itself."""
        statements = [Statement(actions=["secretsmanager:GetSecretValue"], resources=[self.secret_arn])]
        if self.encryption_key:
            statements.append(Statement(actions=["kms:Decrypt"], resources=[self.encryption_key.arn]))
        return statements

    def _create_security_group(self, network: Network) -> pulumi.Output[str]:
        """Amazon MQ cannot change a broker's groups, so it gets one of its own whose rules can change."""
        group = aws.ec2.SecurityGroup(
            self.name,
            vpc_id=network.vpc_id,
            description=f"Broker: {self.facts.scheme} from the tasks",
            tags=name_tag(self.name),
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self.name}-from-tasks",
            security_group_id=group.id,
            referenced_security_group_id=network.task_security_group_id,
            ip_protocol="tcp",
            from_port=self.facts.port,
            to_port=self.facts.port,
            opts=self.child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self.name}-tasks-egress",
            security_group_id=network.task_security_group_id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=self.facts.port,
            to_port=self.facts.port,
            opts=self.child(),
        )
        return group.id

    def _create_credentials(self, args: BrokerArgs) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """The secret's ARN, and the password: encrypted in Pulumi's state, never in clear."""
        secret = aws.secretsmanager.Secret(
            f"{self.name}-credentials",
            description=f"User of the broker {self.name} of {pulumi.get_stack()}",
            recovery_window_in_days=args.recovery_days,
            kms_key_id=args.encryption_key.arn if args.encryption_key else None,
            opts=self.child(),
        )
        generated = aws.secretsmanager.get_random_password_output(
            password_length=_PASSWORD_LENGTH,
            exclude_punctuation=True,
            opts=pulumi.InvokeOutputOptions(parent=self),
        ).random_password
        version = aws.secretsmanager.SecretVersion(
            f"{self.name}-credentials-value",
            secret_id=secret.id,
            secret_string=_secret(json_text({"username": _USERNAME, "password": generated})),
            # Every deployment asks for another password; the first one is the broker's.
            opts=self.child(ignore_changes=["secret_string"]),
        )
        password = _secret(version.secret_string.apply(lambda text: str(json.loads(str(text))["password"])))
        # Whoever reads the ARN may read the value, so it comes with it.
        arn: pulumi.Output[str] = pulumi.Output.all(secret.arn, version.id).apply(lambda known: str(known[0]))
        return arn, password

    def _create_broker(self, args: BrokerArgs, password: pulumi.Output[str]) -> aws.mq.Broker:
        activemq = self.engine is BrokerEngine.ACTIVEMQ
        key = args.encryption_key if activemq else None
        return aws.mq.Broker(
            self.name,
            engine_type=self.facts.aws_name,
            engine_version=args.engine_version or self.facts.default_version,
            host_instance_type=args.instance_type or self.facts.default_instance_type,
            deployment_mode=self.facts.multi_az_mode if args.multi_az else "SINGLE_INSTANCE",
            subnet_ids=self._subnets(args),
            security_groups=[self.security_group_id],
            publicly_accessible=False,
            # Current versions of both engines refuse False.
            auto_minor_version_upgrade=True,
            apply_immediately=args.apply_immediately,
            users=[aws.mq.BrokerUserArgs(username=_USERNAME, password=password)],
            logs=aws.mq.BrokerLogsArgs(general=True, audit=True if activemq else None),
            encryption_options=(
                aws.mq.BrokerEncryptionOptionsArgs(kms_key_id=key.arn, use_aws_owned_key=False) if key else None
            ),
            # Amazon MQ never returns RabbitMQ's users and can only create them; a change of ActiveMQ's waits for a
            # reboot, and each deployment until then finds a difference.
            opts=self.child(
                depends_on=[self._allow_logs()] if activemq else None,
                ignore_changes=["users"],
            ),
        )

    def _subnets(self, args: BrokerArgs) -> list[pulumi.Input[str]]:
        """One for one instance, two for an active and a standby broker, all for a cluster."""
        subnets = list(args.network.task_subnet_ids)
        if not args.multi_az:
            return subnets[:1]
        return subnets if self.engine is BrokerEngine.RABBITMQ else subnets[:2]

    def _allow_logs(self) -> aws.cloudwatch.LogResourcePolicy:
        """ActiveMQ's brokers write their logs themselves; RabbitMQ's use Amazon MQ's service-linked role."""
        place = place_of(self)
        return aws.cloudwatch.LogResourcePolicy(
            f"{self.name}-logs",
            policy_name=stack_name(f"{self.name}-logs"),
            policy_document=policy_document(
                [
                    Statement(
                        principals={"Service": "mq.amazonaws.com"},
                        actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                        resources=[place.arn("logs", "log-group:/aws/amazonmq/*")],
                        conditions={"StringEquals": {"aws:SourceAccount": place.account_id}},
                    )
                ]
            ),
            opts=self.child(),
        )

    def _worker_urls(self, instances: Sequence[aws.mq.outputs.BrokerInstance]) -> str:
        endpoints = [endpoint for instance in instances for endpoint in instance.endpoints or []]
        return ",".join(endpoint for endpoint in endpoints if endpoint.startswith(f"{self.facts.scheme}://"))

    def _metric_names(self, multi_az: bool) -> list[pulumi.Output[str]]:
        if self.engine is BrokerEngine.RABBITMQ:
            return [self.broker_name]
        return [pulumi.Output.concat(self.broker_name, f"-{number}") for number in ((1, 2) if multi_az else (1,))]


def _secret(value: pulumi.Output[str]) -> pulumi.Output[str]:
    marked: pulumi.Output[str] = pulumi.Output.secret(value)
    return marked
