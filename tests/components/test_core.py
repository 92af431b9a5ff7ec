from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pulumi
import pytest

import components
from components.core.base import Component
from components.core.errors import PolicyError
from components.core.iam import Statement, pass_role, policy_document, service_trust
from components.core.validation import Check, OneOf, Range
from components.encryption import EncryptionKey, EncryptionKeyArgs
from components.stores.queue import Queue
from tests.recorder import policy_of, record


def all_components() -> list[type[Component]]:
    found = set()
    for module in pkgutil.walk_packages(components.__path__, "components."):
        for _, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            made = item is not Component and not item.__name__.startswith("_") and not inspect.isabstract(item)
            if issubclass(item, Component) and made:
                found.add(item)
    return sorted(found, key=lambda item: item.__name__)


TOKENS = {
    "AcceptingApi": "eda:patterns:AcceptingApi",
    "Activity": "eda:workflows:Activity",
    "ActivityPool": "eda:patterns:ActivityPool",
    "ActivityPoolAlarms": "eda:observability:ActivityPoolAlarms",
    "Airflow": "eda:patterns:Airflow",
    "AirflowAlarms": "eda:observability:AirflowAlarms",
    "AirflowEnvironment": "eda:workflows:AirflowEnvironment",
    "AlarmTopic": "eda:observability:AlarmTopic",
    "Api": "eda:patterns:Api",
    "ApiAlarms": "eda:observability:ApiAlarms",
    "ApiDestination": "eda:routers:ApiDestination",
    "ApiPush": "eda:patterns:ApiPush",
    "Broker": "eda:stores:Broker",
    "BrokerAlarms": "eda:observability:BrokerAlarms",
    "BrokerScaling": "eda:compute:BrokerScaling",
    "BrokerWorker": "eda:patterns:BrokerWorker",
    "BrokerWorkerAlarms": "eda:observability:BrokerWorkerAlarms",
    "Bucket": "eda:stores:Bucket",
    "BuiltImage": "eda:compute:BuiltImage",
    "Cluster": "eda:compute:Cluster",
    "CreateJob": "eda:jobs:CreateJob",
    "Dashboard": "eda:observability:Dashboard",
    "DeadLetterQueue": "eda:stores:DeadLetterQueue",
    "Dispatcher": "eda:compute:Dispatcher",
    "EncryptionKey": "eda:encryption:EncryptionKey",
    "EventBus": "eda:routers:EventBus",
    "EventSchemas": "eda:routers:EventSchemas",
    "FanOut": "eda:patterns:FanOut",
    "Function": "eda:compute:Function",
    "GeneratedApiKey": "eda:compute:GeneratedApiKey",
    "GlobalEndpoint": "eda:routers:GlobalEndpoint",
    "HttpApi": "eda:compute:HttpApi",
    "IdempotencyTable": "eda:stores:IdempotencyTable",
    "ItemsCounter": "eda:workflows:ItemsCounter",
    "Job": "eda:patterns:Job",
    "JobAlarms": "eda:observability:JobAlarms",
    "JobTable": "eda:jobs:JobTable",
    "KafkaCluster": "eda:streams:KafkaCluster",
    "KafkaClusterAlarms": "eda:observability:KafkaClusterAlarms",
    "KafkaScaling": "eda:compute:KafkaScaling",
    "KafkaWorker": "eda:patterns:KafkaWorker",
    "KafkaWorkerAlarms": "eda:observability:KafkaWorkerAlarms",
    "KinesisStream": "eda:streams:KinesisStream",
    "LargeEvents": "eda:stores:LargeEvents",
    "LeaseTable": "eda:streams:LeaseTable",
    "LoadBalancer": "eda:compute:LoadBalancer",
    "Network": "eda:network:Network",
    "ObjectProcessing": "eda:patterns:ObjectProcessing",
    "ObjectProcessingAlarms": "eda:observability:ObjectProcessingAlarms",
    "PartnerEventBus": "eda:routers:PartnerEventBus",
    "PoolScaling": "eda:compute:PoolScaling",
    "Queue": "eda:stores:Queue",
    "QueueScaling": "eda:compute:QueueScaling",
    "QueueWorker": "eda:patterns:QueueWorker",
    "QueueWorkerAlarms": "eda:observability:QueueWorkerAlarms",
    "RequestScaling": "eda:compute:RequestScaling",
    "Rule": "eda:routers:Rule",
    "Schedule": "eda:routers:Schedule",
    "ScheduledTask": "eda:patterns:ScheduledTask",
    "SecondRegion": "eda:patterns:SecondRegion",
    "Service": "eda:compute:Service",
    "ServiceRegistry": "eda:compute:ServiceRegistry",
    "Shared": "eda:shared:Shared",
    "StateMachine": "eda:workflows:StateMachine",
    "Step": "eda:patterns:Step",
    "StreamAlarms": "eda:observability:StreamAlarms",
    "StreamScaling": "eda:compute:StreamScaling",
    "StreamWorker": "eda:patterns:StreamWorker",
    "StreamWorkerAlarms": "eda:observability:StreamWorkerAlarms",
    "Task": "eda:compute:Task",
    "TaskDefinition": "eda:compute:TaskDefinition",
    "Topic": "eda:routers:Topic",
    "TrackJob": "eda:jobs:TrackJob",
    "Vpc": "eda:vpc:Vpc",
    "Workflow": "eda:patterns:Workflow",
    "WorkflowAlarms": "eda:observability:WorkflowAlarms",
}


def test_type_tokens_never_change():
    from components.core.base import _type_token

    assert {item.__name__: _type_token(item) for item in all_components()} == TOKENS


def test_a_subclass_elsewhere_keeps_the_identity():
    class Mine(Queue):
        pass

    recorder = record(lambda: Mine("orders"))
    assert [item.type for item in recorder.resources if not item.custom] == [
        "eda:stores:Queue",
        "eda:stores:DeadLetterQueue",
    ]


def test_every_component_has_one_signature():
    for item in all_components():
        parameters = list(inspect.signature(item.__init__).parameters)
        assert parameters[:2] == ["self", "name"]
        assert parameters[-1] == "opts"
        assert len(parameters) == 4, item


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"actions": ["sqs:*"], "resources": ["arn"]}, "action 'sqs:*': name each action"),
        ({"actions": ["*"], "resources": ["arn"], "effect": "Deny"}, "action '*': name each action"),
        ({"actions": ["sqs:SendMessage"], "resources": ["*"]}, "resource '*' needs why_any_resource"),
        ({"actions": ["sqs:SendMessage"], "resources": ["a"], "principals": "*"}, "allowing principal '*'"),
        (
            {"actions": ["sqs:SendMessage"], "resources": ["a"], "principals": {"Service": "sns.amazonaws.com"}},
            "a service principal needs a condition on aws:SourceArn or aws:SourceAccount",
        ),
        ({"actions": ["iam:PassRole"], "resources": ["arn"]}, "iam:PassRole needs a condition on iam:PassedToService"),
    ],
    ids=str,
)
def test_a_statement_that_nobody_should_write_is_refused(statement: dict[str, Any], message: str):
    with pytest.raises(PolicyError) as caught:
        Statement(**statement)
    assert message in str(caught.value)


def test_an_empty_policy_is_refused():
    with pytest.raises(PolicyError, match="at least one statement"):
        policy_document([])


def test_helpers_write_what_they_promise():
    texts: list[str] = []

    def program() -> None:
        for document in (service_trust("ecs-tasks.amazonaws.com", "1" * 12), policy_document([pass_role(["r"], "s")])):
            document.apply(texts.append)

    record(program)
    statements = {item["Action"][0]: item for text in texts for item in policy_of(text)}
    assert statements == {
        "iam:PassRole": {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": ["r"],
            "Condition": {"StringEquals": {"iam:PassedToService": "s"}},
        },
        "sts:AssumeRole": {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": ["sts:AssumeRole"],
            "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
        },
    }


class Args:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


@pytest.mark.parametrize(
    ("rule", "value", "problem"),
    [
        (Range("x", 1, 10, "messages"), 0, "x is 0; allowed is a whole number from 1 to 10 messages"),
        (Range("x", 1, 10), 1.5, "x is 1.5; allowed is a whole number from 1 to 10"),
        (Range("x", 1, 10), True, "x is True; allowed is a whole number from 1 to 10"),
        (Range("x", 0.5, 1, whole=False), 0.4, "x is 0.4; allowed is a number from 0.5 to 1"),
        (Range("x", 1, 10), "5", "x is '5'; allowed is a whole number from 1 to 10"),
        (OneOf("x", ("a", "b")), "c", "x is 'c'; allowed is one of 'a', 'b'"),
        (Check(("x",), lambda args: args.x == 1, "x must not be 1"), 1, "x must not be 1"),
    ],
)
def test_each_rule_says_value_and_bounds(rule: Any, value: object, problem: str):
    assert list(rule.problems(Args(x=value))) == [problem]


@pytest.mark.parametrize("rule", [Range("x", 1, 2), OneOf("x", (1,)), Check(("x",), lambda args: True, "wrong")])
def test_unknown_values_are_left_to_aws(rule: Any):
    def program() -> None:
        problems.extend(rule.problems(Args(x=pulumi.Output.from_input(99))))

    problems: list[str] = []
    record(program)
    assert problems == []


def test_the_key_lets_the_account_administer_and_the_senders_use_it():
    recorder = record(lambda: EncryptionKey("key"))
    key = recorder.one("aws:kms/key:Key").inputs
    assert key["tags"] == {"EventBridgeApiDestinations": "true"}  # else EventBridge refuses it for a connection
    assert key["enableKeyRotation"] is True
    assert key["deletionWindowInDays"] == 30
    assert len(recorder.of_type("Alias")) == 1
    with pytest.raises(ValueError, match="deletion_window_days is 5; allowed is a whole number from 7 to 30 days"):
        record(lambda: EncryptionKey("key", EncryptionKeyArgs(deletion_window_days=5)))
