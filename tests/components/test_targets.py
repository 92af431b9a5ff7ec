from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError, InvalidNameError
from components.encryption import EncryptionKey
from components.network import Network
from components.routers.api_destination import (
    ApiDestination,
    ApiDestinationArgs,
    ApiKey,
    BasicLogin,
    OAuthClient,
)
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import (
    ApiDestinationTarget,
    ConstantInput,
    EcsTaskTarget,
    EventBusTarget,
    Existing,
    InputPath,
    InputTransformer,
    KinesisTarget,
    LambdaTarget,
    LogGroupTarget,
    RetryPolicy,
    SnsTarget,
    SqsTarget,
    StateMachineTarget,
    Target,
)
from components.routers.topic import Topic, TopicArgs
from components.stores.queue import Queue
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/flix-0a1b2c3"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
STREAM = Existing(name="clicks", arn=STREAM_ARN)
MACHINE_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:cook"


def routed(*targets: Callable[[], Target], preview: bool = False) -> Recorder:
    def program() -> None:
        Rule(
            "flix",
            RuleArgs(bus=EventBus("events"), event_pattern={"source": ["a"]}, targets=[make() for make in targets]),
        )

    return record(program, preview=preview)


def target_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:cloudwatch/eventTarget:EventTarget").inputs)


def role_statements(recorder: Recorder) -> list[dict[str, Any]]:
    return policy_of(recorder.one("aws:iam/rolePolicy:RolePolicy", "flix-delivery-role-policy").inputs["policy"])


def task_target(**options: Any) -> Callable[[], Target]:
    def make() -> Target:
        definition = TaskDefinition("thumbnail", TaskDefinitionArgs(container=ContainerArgs(image="image:1")))
        return EcsTaskTarget(
            cluster=Cluster("cluster"), task_definition=definition, network=Network("network"), **options
        )

    return make


def api_target(
    credentials: Any = None, url: str = "https://api.example/orders", **options: Any
) -> Callable[[], Target]:
    login = credentials or ApiKey(header="x-api-key", value="secret")
    return lambda: ApiDestinationTarget(
        destination=ApiDestination("shop", ApiDestinationArgs(url=url, credentials=login)), **options
    )


@pytest.mark.parametrize(
    ("target", "arn", "actions"),
    [
        (lambda: KinesisTarget(stream=STREAM), STREAM_ARN, ["kinesis:PutRecord", "kinesis:PutRecords"]),
        (
            lambda: StateMachineTarget(state_machine=Existing(name="cook", arn=MACHINE_ARN)),
            MACHINE_ARN,
            ["states:StartExecution"],
        ),
        (
            lambda: EventBusTarget(bus=Existing(name="audit", arn="arn:aws:events:eu-west-1:999999999999:event-bus/a")),
            "arn:aws:events:eu-west-1:999999999999:event-bus/a",
            ["events:PutEvents"],
        ),
        (
            api_target(),
            f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/shop-0a1b2c3/0a1b",
            ["events:InvokeApiDestination"],
        ),
    ],
    ids=["kinesis", "state machine", "bus", "api destination"],
)
def test_a_role_allows_exactly_this_delivery(target: Callable[[], Target], arn: str, actions: list[str]):
    recorder = routed(target)
    assert target_of(recorder)["arn"] == arn
    assert target_of(recorder)["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/flix-delivery-role-0a1b2c3"
    assert role_statements(recorder) == [{"Effect": "Allow", "Action": actions, "Resource": [arn]}]
    (trust,) = policy_of(recorder.one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_every_target_has_a_dead_letter_queue_and_retries_by_default():
    retry = RetryPolicy(maximum_retry_attempts=3, maximum_event_age_seconds=600)
    recorder = routed(
        lambda: SqsTarget(queue=Queue("orders")),
        lambda: KinesisTarget(stream=STREAM, retry=retry),
        lambda: SnsTarget(topic=Topic("news")),
    )
    targets = {item.name: item.inputs for item in recorder.of_type("EventTarget")}
    assert set(targets) == {"flix-orders", "flix-clicks", "flix-news"}
    assert {item["deadLetterConfig"]["arn"] for item in targets.values()} == {
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:flix-undelivered-0a1b2c3"
    }
    policies = {name: item["retryPolicy"] for name, item in targets.items()}
    default = {"maximumEventAgeInSeconds": 86_400, "maximumRetryAttempts": 185}
    assert policies["flix-orders"] == policies["flix-news"] == default
    assert policies["flix-clicks"] == {"maximumEventAgeInSeconds": 600, "maximumRetryAttempts": 3}
    assert "roleArn" not in targets["flix-orders"]
    assert "roleArn" in targets["flix-clicks"]


def test_a_rule_without_roles_makes_none():
    assert routed(lambda: SqsTarget(queue=Queue("orders"))).of_type("aws:iam/role:Role") == []


def test_a_stream_is_keyed_by_a_part_of_the_event_and_its_key_may_be_used():
    recorder = routed(
        lambda: KinesisTarget(
            stream=STREAM, partition_key_path="$.detail.data.channel-id", encryption_key=EncryptionKey("key")
        )
    )
    assert target_of(recorder)["kinesisTarget"] == {"partitionKeyPath": "$.detail.data.channel-id"}
    assert [item["Action"] for item in role_statements(recorder)][1] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_a_topic_admits_this_rule_only():
    recorder = routed(lambda: SnsTarget(topic=Topic("news")))
    _, allow = policy_of(recorder.one("TopicPolicy").inputs["policy"])
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Action"] == ["sns:Publish"]
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": RULE_ARN}}


def test_eventbridge_cannot_publish_to_a_fifo_topic():
    with pytest.raises(InvalidArgsError, match="the topic is FIFO, which EventBridge cannot publish to"):
        routed(lambda: SnsTarget(topic=Topic("news", TopicArgs(fifo=True))))


def test_a_function_gains_a_permission_for_this_rule_and_no_role_is_made():
    recorder = routed(lambda: LambdaTarget(function=Existing(name="track", arn="arn:function")))
    permission = recorder.one("aws:lambda/permission:Permission")
    assert permission.name == "flix-track-permission"
    assert permission.inputs == {
        "action": "lambda:InvokeFunction",
        "function": "arn:function",
        "principal": "events.amazonaws.com",
        "sourceArn": RULE_ARN,
    }
    assert recorder.of_type("aws:iam/role:Role") == []


def test_a_log_group_gains_a_policy_and_is_named_without_the_star():
    recorder = routed(lambda: LogGroupTarget(name="audit", log_group=aws.cloudwatch.LogGroup("audit")))
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:audit-0a1b2c3"
    assert target_of(recorder)["arn"] == group
    create, put = policy_of(recorder.one("LogResourcePolicy").inputs["policyDocument"])
    assert (create["Action"], put["Action"]) == (["logs:CreateLogStream"], ["logs:PutLogEvents"])
    assert create["Resource"] == put["Resource"] == [f"{group}:*"]
    assert put["Condition"] == {"ArnEquals": {"aws:SourceArn": RULE_ARN}}
    assert create["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_policies_of_a_log_group_in_two_stacks_of_one_account_have_two_names():
    name = (
        routed(lambda: LogGroupTarget(name="audit", log_group=aws.cloudwatch.LogGroup("audit")))
        .one("LogResourcePolicy")
        .inputs["policyName"]
    )
    assert name == "eda-test-flix-audit"


@pytest.mark.parametrize(
    "value", [ConstantInput(value={"message": "x"}), InputTransformer(template='"<a>"', paths={"a": "$.id"})]
)
def test_a_log_line_is_a_timestamp_and_a_message(value: Any):
    with pytest.raises(InvalidArgsError, match="an object with exactly timestamp and message"):
        routed(lambda: LogGroupTarget(name="audit", log_group=aws.cloudwatch.LogGroup("audit"), input=value))


def test_a_task_sees_the_fields_that_were_named():
    recorder = routed(
        task_target(
            event_fields={"BUCKET": "$.detail.bucket.name", "KEY": "$.detail.object.key"},
            environment={"MODE": "fast"},
            command=["run"],
            spot=True,
            task_count=2,
        )
    )
    target = target_of(recorder)
    transformer = target["inputTransformer"]
    assert transformer["inputPaths"] == {"v0": "$.detail.bucket.name", "v1": "$.detail.object.key"}
    assert json.loads(transformer["inputTemplate"]) == {
        "containerOverrides": [
            {
                "name": "worker",
                "environment": [
                    {"name": "BUCKET", "value": "<v0>"},
                    {"name": "KEY", "value": "<v1>"},
                    {"name": "MODE", "value": "fast"},
                ],
                "command": ["run"],
            }
        ]
    }
    assert target["arn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3"
    ecs = target["ecsTarget"]
    assert ecs["taskCount"] == 2
    assert ecs["capacityProviderStrategies"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert "launchType" not in ecs
    assert not ecs["taskDefinitionArn"].endswith(":1")
    assert ecs["networkConfiguration"]["securityGroups"]


def test_the_role_of_a_task_may_run_it_in_its_cluster_and_pass_both_roles():
    run, tag, pass_roles = role_statements(routed(task_target()))
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3"
    assert run["Action"] == ["ecs:RunTask"]
    assert run["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
    assert run["Resource"][0].endswith(":*")
    assert tag["Resource"] == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster-0a1b2c3/*"]
    assert tag["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    assert pass_roles["Resource"] == [
        f"arn:aws:iam::{ACCOUNT}:role/thumbnail-execution-role-0a1b2c3",
        f"arn:aws:iam::{ACCOUNT}:role/thumbnail-task-role-0a1b2c3",
    ]
    assert pass_roles["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"task_count": 11}, "task_count is 11; allowed is a whole number from 1 to 10 tasks"),
        ({"event_fields": {"KEY": "detail.key"}}, "event_fields: KEY: path is 'detail.key'; allowed is $"),
        ({"event_fields": {"KEY": "$.detail['a-b']"}}, "event_fields: KEY: path is \"$.detail['a-b']\"; a transformer"),
        ({"event_fields": {"A": "$.id"}, "environment": {"A": "b"}}, "A: in event_fields and in environment; keep one"),
        ({"environment": {"A": "x" * 8200}}, "ECS allows 8,192: pass a reference"),
    ],
    ids=["count", "path", "brackets", "twice", "size"],
)
def test_a_wrong_task_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        routed(task_target(**options))
    assert str(caught.value).startswith("EcsTaskTarget of 'thumbnail': ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ConstantInput(value={"a": 1}), {"input": '{"a": 1}'}),
        (InputPath(path="$.detail.data"), {"inputPath": "$.detail.data"}),
        (
            InputTransformer(template='{"id": <id>, "text": "order <id>"}', paths={"id": "$.detail.data.id"}),
            {
                "inputTransformer": {
                    "inputTemplate": '{"id": <id>, "text": "order <id>"}',
                    "inputPaths": {"id": "$.detail.data.id"},
                }
            },
        ),
    ],
    ids=["constant", "path", "transformer"],
)
def test_the_input_is_said_in_one_of_three_ways(value: Any, expected: dict[str, Any]):
    target = target_of(routed(lambda: SqsTarget(queue=Queue("orders"), input=value)))
    assert {key: target[key] for key in ("input", "inputPath", "inputTransformer") if key in target} == expected


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ConstantInput(value={1, 2}), "value is not JSON"),
        (lambda: ConstantInput(value="x" * 8192), "value has 8,194 characters; EventBridge allows 8,192"),
        (lambda: InputPath(path="$..detail"), "path is '$..detail'; allowed is $"),
        (lambda: InputPath(path="$.detail[*]"), "path is '$.detail[*]'; allowed is $"),
        (lambda: InputPath(path="$." + "x" * 300), "path has 302 characters; EventBridge allows 256"),
        (lambda: InputTransformer(template="<id>"), "template uses <id>, which paths does not define"),
        (
            lambda: InputTransformer(template='"<a>"', paths={"a": "$.detail['a']"}),
            "variable 'a': path is \"$.detail['a']\"; a transformer takes .field and [0] steps only",
        ),
        (lambda: InputTransformer(template='"a"', paths={"id": "$.id"}), "paths defines id, which the template"),
        (lambda: InputTransformer(template="order <id>", paths={"id": "$.id"}), "a text needs quotes around it"),
        (lambda: InputTransformer(template="<AWS1>", paths={"AWS1": "$.id"}), "names that start with AWS"),
        (lambda: InputTransformer(template=""), "template has 0 characters; allowed are 1 to 8,192"),
    ],
)
def test_a_wrong_input_is_refused(make: Callable[[], Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        make()
    assert problem in str(caught.value)


def test_a_template_may_use_what_eventbridge_knows():
    assert InputTransformer(template='{"rule": "<aws.events.rule-name>", "event": <aws.events.event.json>}').paths == {}


def test_more_than_five_targets_are_split_over_several_rules():
    recorder = routed(*[lambda n=number: SqsTarget(queue=Queue(f"queue-{n}")) for number in range(11)])
    assert recorder.names("aws:cloudwatch/eventRule:EventRule") == ["flix", "flix-2", "flix-3"]
    assert len({item.inputs["eventPattern"] for item in recorder.of_type("EventRule")}) == 1
    by_rule: dict[str, list[str]] = {}
    for item in recorder.of_type("EventTarget"):
        by_rule.setdefault(item.inputs["rule"], []).append(item.name)
    assert {rule: len(names) for rule, names in by_rule.items()} == {
        "flix-0a1b2c3": 5,
        "flix-2-0a1b2c3": 5,
        "flix-3-0a1b2c3": 1,
    }
    assert "flix-queue-10" in by_rule["flix-3-0a1b2c3"]
    statements = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", "flix-undelivered-policy").inputs["policy"])
    assert len(statements[1]["Condition"]["ArnEquals"]["aws:SourceArn"]) == 3
    (own,) = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", "queue-10-policy").inputs["policy"])[1:]
    assert own["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/flix-3-0a1b2c3"}
    }


def test_a_targets_own_retry_is_checked_and_so_is_its_name():
    with pytest.raises(InvalidArgsError, match="targets: 'clicks': maximum_retry_attempts is 186"):
        routed(lambda: KinesisTarget(stream=STREAM, retry=RetryPolicy(maximum_retry_attempts=186)))
    with pytest.raises(InvalidArgsError, match="targets: name 'My Stream': use lower-case letters"):
        routed(lambda: KinesisTarget(stream=Existing(name="My Stream", arn="arn:s")))


def test_an_api_is_called_with_values_of_the_event():
    recorder = routed(
        api_target(
            url="https://api.example/*/orders",
            path_values=["$.detail.data.region"],
            headers={"x-key": "$.id"},
            query={"dry": "no"},
        )
    )
    assert target_of(recorder)["httpTarget"] == {
        "headerParameters": {"x-key": "$.id"},
        "pathParameterValues": ["$.detail.data.region"],
        "queryStringParameters": {"dry": "no"},
    }
    destination = recorder.one("aws:cloudwatch/eventApiDestination:EventApiDestination").inputs
    assert destination["invocationRateLimitPerSecond"] == 300
    assert destination["httpMethod"] == "POST"


@pytest.mark.parametrize(
    ("credentials", "kind", "parameters"),
    [
        (ApiKey(header="k", value="v"), "API_KEY", {"apiKey": {"key": "k", "value": "v"}}),
        (BasicLogin(username="u", password="p"), "BASIC", {"basic": {"username": "u", "password": "p"}}),
        (
            OAuthClient(token_url="https://id.example/token", client_id="c", client_secret="s", scope="orders"),
            "OAUTH_CLIENT_CREDENTIALS",
            {
                "oauth": {
                    "authorizationEndpoint": "https://id.example/token",
                    "clientParameters": {"clientId": "c", "clientSecret": "s"},
                    "httpMethod": "POST",
                    "oauthHttpParameters": {
                        "bodies": [
                            {"key": "grant_type", "value": "client_credentials"},
                            {"key": "scope", "value": "orders"},
                        ]
                    },
                }
            },
        ),
    ],
    ids=["key", "basic", "oauth"],
)
def test_a_connection_logs_in(credentials: Any, kind: str, parameters: dict[str, Any]):
    connection = routed(api_target(credentials)).one("aws:cloudwatch/eventConnection:EventConnection").inputs
    assert connection["authorizationType"] == kind
    assert plain(connection["authParameters"]) == parameters


def plain(value: Any) -> Any:
    """Without the wrappers of secrets."""
    if isinstance(value, dict):
        if "value" in value and any(str(key).startswith("4dabf18") for key in value):
            return value["value"]
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_a_private_api_is_reached_through_a_resource_configuration():
    def program() -> None:
        ApiDestination(
            "shop",
            ApiDestinationArgs(
                url="https://internal.example/",
                credentials=ApiKey(header="k", value="v"),
                private_resource_configuration_arn="arn:lattice",
            ),
        )

    connection = record(program).one("aws:cloudwatch/eventConnection:EventConnection").inputs
    assert connection["invocationConnectivityParameters"] == {
        "resourceParameters": {"resourceConfigurationArn": "arn:lattice"}
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "http://api.example/"}, "url is 'http://api.example/'; allowed is an https URL"),
        ({"url": "https://*.example/"}, "* in its path only"),
        ({"method": "TRACE"}, "method is 'TRACE'; allowed is one of"),
        ({"requests_per_second": 0}, "requests_per_second is 0; allowed is a whole number from 1"),
        (
            {"credentials": OAuthClient(token_url="https://a/", client_id="c", client_secret="s", method="PATCH")},
            "credentials.method is 'PATCH'",
        ),
    ],
    ids=str,
)
def test_a_wrong_destination_is_refused(change: dict[str, Any], problem: str):
    arguments = {"url": "https://api.example/", "credentials": ApiKey(header="k", value="v"), **change}
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: ApiDestination("shop", ApiDestinationArgs(**arguments)))
    assert problem in str(caught.value)


def test_a_destination_has_no_name_that_its_connection_could_not_have():
    arguments = ApiDestinationArgs(url="https://api.example/", credentials=ApiKey(header="k", value="v"))
    connection = record(lambda: ApiDestination("d" * 45, arguments)).one("EventConnection")
    assert len(connection.name) + 8 == 64  # EventBridge's limit, with what the provider appends
    with pytest.raises(InvalidNameError, match="at most 45 are allowed"):
        record(lambda: ApiDestination("d" * 46, arguments))


def test_path_values_fill_every_asterisk():
    with pytest.raises(InvalidArgsError, match="path_values has 0 entries, but the destination's URL has 1 asterisks"):
        routed(api_target(url="https://api.example/*"))


ALL: list[Callable[[], Target]] = [
    lambda: SqsTarget(queue=Queue("orders")),
    lambda: SnsTarget(topic=Topic("news")),
    lambda: KinesisTarget(stream=STREAM),
    lambda: StateMachineTarget(state_machine=Existing(name="cook", arn=MACHINE_ARN)),
    lambda: LambdaTarget(function=Existing(name="track", arn="arn:function")),
    task_target(),
    api_target(),
    lambda: EventBusTarget(bus=EventBus("audit")),
    lambda: LogGroupTarget(name="log", log_group=aws.cloudwatch.LogGroup("log")),
]


@pytest.mark.parametrize("preview", [False, True])
def test_all_kinds_together_pass_the_walk_of_policies(preview: bool):
    recorder = routed(*ALL, preview=preview)
    assert len(recorder.of_type("EventTarget")) == 9
    assert recorder.names("aws:cloudwatch/eventRule:EventRule") == ["flix", "flix-2"]
    if not preview:
        assert walk_policies(recorder) == []
