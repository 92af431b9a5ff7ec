from __future__ import annotations

import json
from typing import Any

import pytest

from components.core.errors import InvalidArgsError, InvalidNameError
from components.encryption import EncryptionKey
from components.network import Network, NetworkArgs
from components.stores.broker import Broker, BrokerArgs
from contracts.brokers import ENGINES, BrokerEngine
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

BROKER = "aws:mq/broker:Broker"


def broker(**changes: Any) -> Broker:
    return Broker("orders-broker", BrokerArgs(network=Network("network"), **changes))


def inputs_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one(BROKER).inputs)


def test_a_broker_comes_with_its_credentials_and_its_security_group():
    without, recorder = record(lambda: Network("network")).children(), record(lambda: broker())
    added = {kind: count - without.get(kind, 0) for kind, count in recorder.children().items()}
    assert {kind: count for kind, count in added.items() if count} == {
        "aws:ec2/securityGroup:SecurityGroup": 1,
        "aws:mq/broker:Broker": 1,
        "aws:secretsmanager/secret:Secret": 1,
        "aws:secretsmanager/secretVersion:SecretVersion": 1,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 1,
    }


def test_the_defaults_are_one_private_instance_of_the_newest_rabbitmq():
    inputs = inputs_of(record(lambda: broker()))
    users = inputs.pop("users")
    assert inputs == {
        "applyImmediately": False,
        "autoMinorVersionUpgrade": True,
        "deploymentMode": "SINGLE_INSTANCE",
        "engineType": "RabbitMQ",
        "engineVersion": "4.2",
        "hostInstanceType": "mq.m7g.large",
        "logs": {"general": True},
        "publiclyAccessible": False,
        "securityGroups": ["orders-broker-0a1b2c3"],
        "subnetIds": ["network-public-1-0a1b2c3"],
    }
    assert [user["username"] for user in users] == ["worker"]


def test_a_cluster_of_rabbitmq_lies_in_all_zones():
    inputs = inputs_of(record(lambda: broker(multi_az=True)))
    assert inputs["deploymentMode"] == "CLUSTER_MULTI_AZ"
    assert inputs["subnetIds"] == ["network-public-1-0a1b2c3", "network-public-2-0a1b2c3"]


def test_activemq_has_a_standby_in_exactly_two_zones_and_audits():
    def program() -> None:

        network = Network("network", NetworkArgs(availability_zones=3))
        made = Broker("orders-broker", BrokerArgs(network=network, engine=BrokerEngine.ACTIVEMQ, multi_az=True))
        made.urls.apply(urls.append)

    urls: list[str] = []
    recorder = record(program)
    inputs = inputs_of(recorder)
    assert (inputs["engineType"], inputs["engineVersion"], inputs["hostInstanceType"]) == (
        "ActiveMQ",
        "5.19",
        "mq.m5.large",
    )
    assert inputs["deploymentMode"] == "ACTIVE_STANDBY_MULTI_AZ"
    assert len(inputs["subnetIds"]) == 2
    assert inputs["logs"] == {"general": True, "audit": True}
    assert urls == [
        f"stomp+ssl://b-0a1b2c3-1.mq.{REGION}.amazonaws.com:61614,stomp+ssl://b-0a1b2c3-2.mq.{REGION}.amazonaws.com:61614"
    ]
    (statement,) = policy_of(recorder.one("LogResourcePolicy").inputs["policyDocument"])
    assert statement["Principal"] == {"Service": "mq.amazonaws.com"}
    assert statement["Resource"] == [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/amazonmq/*"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize(("engine", "port"), [(BrokerEngine.RABBITMQ, 5671), (BrokerEngine.ACTIVEMQ, 61614)])
def test_only_the_tasks_may_connect_and_only_to_the_workers_port(engine: BrokerEngine, port: int):
    recorder = record(lambda: broker(engine=engine))
    expected = {"ipProtocol": "tcp", "fromPort": port, "toPort": port}
    assert recorder.one("SecurityGroupIngressRule").inputs == {
        **expected,
        "securityGroupId": "orders-broker-0a1b2c3",
        "referencedSecurityGroupId": "network-tasks-0a1b2c3",
    }
    assert recorder.one("SecurityGroupEgressRule", "orders-broker-tasks-egress").inputs == {
        **expected,
        "securityGroupId": "network-tasks-0a1b2c3",
        "referencedSecurityGroupId": "orders-broker-0a1b2c3",
    }
    assert "ingress" not in recorder.one("aws:ec2/securityGroup:SecurityGroup", "orders-broker").inputs


def test_the_password_is_generated_and_a_secret_wherever_it_stands():
    recorder = record(lambda: broker())
    assert recorder.one("SecretVersion").secrets == {"secretString"}
    assert recorder.one(BROKER).secrets == {"users"}
    assert json.loads(recorder.one("SecretVersion").inputs["secretString"]) == {
        "username": "worker",
        "password": "generated",
    }
    assert inputs_of(recorder)["users"] == [{"username": "worker", "password": "generated"}]
    secret = recorder.one("aws:secretsmanager/secret:Secret", "orders-broker-credentials").inputs
    assert secret["recoveryWindowInDays"] == 7
    assert "kmsKeyId" not in secret


def test_a_name_that_amazon_mq_would_refuse_with_the_providers_suffix_is_refused():
    with pytest.raises(InvalidNameError, match="at most 42 are allowed"):
        record(lambda: Broker("b" * 43, BrokerArgs(network=Network("network"))))


def test_a_customer_managed_key_encrypts_the_credentials_and_activemqs_storage():
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3"
    recorder = record(lambda: broker(encryption_key=EncryptionKey("key"), engine=BrokerEngine.ACTIVEMQ))
    assert recorder.one("aws:secretsmanager/secret:Secret").inputs["kmsKeyId"] == key
    assert inputs_of(recorder)["encryptionOptions"] == {"kmsKeyId": key, "useAwsOwnedKey": False}
    recorder = record(lambda: broker(encryption_key=EncryptionKey("key")))
    assert "encryptionOptions" not in inputs_of(recorder)  # RabbitMQ takes none


def test_a_producer_may_read_the_credentials_and_nothing_else():
    actions: list[list[str]] = []

    def program() -> None:
        plain = broker()
        actions.append([action for item in plain.read_credentials() for action in item.actions])
        keyed = Broker("b", BrokerArgs(network=Network("other"), encryption_key=EncryptionKey("key")))
        actions.append([action for item in keyed.read_credentials() for action in item.actions])

    record(program)
    assert actions == [["secretsmanager:GetSecretValue"], ["secretsmanager:GetSecretValue", "kms:Decrypt"]]


def test_every_engine_offers_its_default():
    for engine, facts in ENGINES.items():
        for version in facts.versions:
            for instance_type in facts.instance_types[version]:
                arguments = {"engine": engine, "engine_version": version, "instance_type": instance_type}
                assert inputs_of(record(lambda arguments=arguments: broker(**arguments)))["engineVersion"] == version  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"engine_version": "3.13.7"},
            "engine_version is '3.13.7'; allowed for rabbitmq: 3.13, 4.2; patches are chosen by Amazon MQ",
        ),
        ({"engine_version": "5.19"}, "engine_version is '5.19'; allowed for rabbitmq: 3.13, 4.2"),
        (
            {"instance_type": "mq.m5.large"},
            "instance_type is 'mq.m5.large'; allowed for rabbitmq 4.2: mq.m7g.medium, mq.m7g.large, mq.m7g.xlarge, "
            "mq.m7g.2xlarge, mq.m7g.4xlarge, mq.m7g.8xlarge, mq.m7g.12xlarge, mq.m7g.16xlarge",
        ),
        (
            {"engine": "activemq", "instance_type": "mq.m7g.large"},
            "instance_type is 'mq.m7g.large'; allowed for activemq 5.19: mq.t3.micro, mq.m5.large, mq.m5.xlarge, "
            "mq.m5.2xlarge, mq.m5.4xlarge",
        ),
        ({"engine": "kafka"}, "engine is 'kafka'; allowed is one of 'rabbitmq', 'activemq'"),
        ({"recovery_days": 3}, "recovery_days is 3; allowed is 0 (gone at once) or 7 to 30"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_amazon_mq_would_refuse_is_refused_at_once(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: broker(**changes))
    assert caught.value.problems == (problem,)


def test_several_zones_need_several_subnets():

    network = NetworkArgs(vpc_id="vpc-0a", subnet_ids=["subnet-0a"])
    with pytest.raises(
        InvalidArgsError, match="multi_az needs subnets in at least 2 zones; the network has 1; add one"
    ):
        record(lambda: Broker("b", BrokerArgs(network=Network("network", network), multi_az=True)))


@pytest.mark.parametrize("engine", list(BrokerEngine))
@pytest.mark.parametrize("preview", [False, True])
def test_it_runs_with_unknown_outputs_and_every_policy_passes_the_walk(engine: BrokerEngine, preview: bool):
    recorder = record(lambda: broker(engine=engine), preview=preview)
    assert walk_policies(recorder) == []
