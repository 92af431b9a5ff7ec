"""The patterns `api` and `api-push`, and their settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.http_api import IamAuthorization
from components.compute.load_balancer import LoadBalancerArgs
from components.config.loading import SettingsError, parse
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network
from components.patterns import build
from components.patterns.accepting_api import AcceptingApi, AcceptingApiArgs
from components.patterns.api import Api, ApiArgs, HttpApiIngress
from components.patterns.api_push import ApiPush, ApiPushArgs, ExistingApi
from components.patterns.queue_worker import QueueWorkerArgs
from components.routers.api_destination import ApiKey
from components.routers.event_bus import EventBus
from components.shared import Shared
from contracts.manifest import Holds, PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/0a1b"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:menu-key-0a1b2c3-AbCdEf"
ORDERS = {"source": ["pizza.service.com"]}


def parts(**changes: Any) -> dict[str, Any]:
    return {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1"),
        "function": "worker.handlers.pizza:handle",
        **changes,
    }


def balanced(**changes: Any) -> Api:
    arguments = parts(**changes)
    ingress = LoadBalancerArgs(network=arguments["network"], certificate_arn=CERTIFICATE, public=True)
    return Api("menu", ApiArgs(**{"ingress": ingress, **arguments}))


def linked(**changes: Any) -> Api:
    return Api("menu", ApiArgs(ingress=HttpApiIngress(), **parts(**changes)))


def container_of(recorder: Recorder) -> dict[str, Any]:
    (container,) = json.loads(recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    result: dict[str, Any] = container
    return result


def environment_of(recorder: Recorder) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container_of(recorder)["environment"]}


def manifest_of(program: Any) -> PatternManifest:
    texts: list[str] = []
    record(lambda: program().manifest().apply(texts.append))
    (text,) = texts
    assert len(text.encode()) < 4096
    return PatternManifest.from_json(text)


# -- request-response -------------------------------------------------------------------------------------------------


def test_behind_a_load_balancer():
    recorder = record(balanced)
    assert recorder.names("aws:lb/loadBalancer:LoadBalancer") == ["menu"]
    service = recorder.one("aws:ecs/service:Service").inputs
    assert [item["containerPort"] for item in service["loadBalancers"]] == [8080]
    assert service["desiredCount"] == 1
    assert recorder.of_type("aws:apigatewayv2/api:Api") == []
    assert walk_policies(recorder) == []


def test_behind_an_http_api():
    recorder = record(linked)
    assert recorder.of_type("aws:lb/loadBalancer:LoadBalancer") == []
    service = recorder.one("aws:ecs/service:Service").inputs
    assert service["serviceRegistries"]["containerPort"] == 8080
    assert service["serviceRegistries"]["registryArn"].startswith("arn:aws:servicediscovery:")
    assert "menu-behind-0a1b2c3" in service["networkConfiguration"]["securityGroups"]
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["routeKey"] == "POST /events"
    assert walk_policies(recorder) == []


def test_the_task_knows_what_to_serve_and_where():
    recorder = record(lambda: balanced(concurrency=4, max_waiting=7, path="/orders", max_body_bytes=1000))
    assert environment_of(recorder) == {
        "API_LINGER_SECONDS": "0",
        "API_MAX_BODY_BYTES": "1000",
        "API_MAX_WAITING": "7",
        "API_PATH": "/orders",
        "API_PORT": "8080",
        "CHECK_SCHEMAS": "true",
        "CONCURRENCY": "4",
        "EDA_PATTERN": "menu",
        "EDA_STACK": "test",
        "HANDLER": "worker.handlers.pizza:handle",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "menu-idempotency-0a1b2c3",
        "LOG_LEVEL": "INFO",
        "STOP_TIMEOUT_SECONDS": "120",
    }
    container = container_of(recorder)
    assert container["command"] == ["api"]
    assert container["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]


def test_a_task_lingers_where_callers_learn_of_its_end_late():
    assert environment_of(record(linked))["API_LINGER_SECONDS"] == "15"
    assert environment_of(record(lambda: balanced(spot=True)))["API_LINGER_SECONDS"] == "15"


def test_the_task_reads_the_key_and_nobody_sees_it():
    recorder = record(balanced)
    assert container_of(recorder)["secrets"] == [{"name": "API_KEYS", "valueFrom": SECRET}]
    execution = policy_of(recorder.one("RolePolicy", "menu-execution-role-policy").inputs["policy"])
    assert {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [SECRET]} in execution


def test_a_key_of_ones_own_may_be_read_with_its_encryption_key():
    recorder = record(lambda: balanced(encryption_key=EncryptionKey("key")))
    execution = policy_of(recorder.one("RolePolicy", "menu-execution-role-policy").inputs["policy"])
    assert ["kms:Decrypt"] in [statement["Action"] for statement in execution]


def test_without_a_key_everybody_is_let_in():
    recorder = record(lambda: balanced(api_key=False))
    assert recorder.of_type("aws:secretsmanager/secret:Secret") == []
    assert "secrets" not in container_of(recorder)


def test_the_task_may_remember_and_nothing_else():
    statements = policy_of(record(balanced).one("RolePolicy", "menu-task-role-policy").inputs["policy"])
    actions = {action for statement in statements for action in statement["Action"]}
    assert actions == {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}


def test_it_scales_on_cpu_and_on_requests_where_they_are_counted():
    recorder = record(lambda: balanced(min_tasks=2, max_tasks=8, cpu_percent=50, requests_per_task=600))
    target = recorder.one("aws:appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 8)
    policies = {
        item.name: item.inputs["targetTrackingScalingPolicyConfiguration"]
        for item in recorder.of_type("aws:appautoscaling/policy:Policy")
    }
    assert policies["menu-scaling-cpu"]["targetValue"] == 50
    requests = policies["menu-scaling-requests"]
    assert requests["targetValue"] == 600
    assert requests["predefinedMetricSpecification"] == {
        "predefinedMetricType": "ALBRequestCountPerTarget",
        "resourceLabel": "app/menu-0a1b2c3/0a1b/targetgroup/menu-0a1b2c3/0a1b",
    }


def test_a_fixed_number_of_tasks_has_no_policies():
    assert record(lambda: balanced(min_tasks=3, max_tasks=3)).of_type("aws:appautoscaling/policy:Policy") == []


def test_alarms_of_a_load_balancer():
    recorder = record(lambda: balanced(alarm_topic_arn="arn:topic", error_percent=2, latency_seconds=0.5))
    alarms = {item.name: item.inputs for item in recorder.of_type("MetricAlarm")}
    assert sorted(alarms) == ["menu-alarms-errors", "menu-alarms-latency", "menu-alarms-unhealthy"]
    errors = alarms["menu-alarms-errors"]
    queries = {item["id"]: item for item in errors["metricQueries"]}
    assert queries["percent"]["expression"] == "100 * (FILL(errors_1, 0) + FILL(errors_2, 0)) / requests"
    assert [queries[f"errors_{n}"]["metric"]["metricName"] for n in (1, 2)] == [
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
    ]
    assert (errors["threshold"], errors["evaluationPeriods"], errors["datapointsToAlarm"]) == (2, 5, 3)
    latency = alarms["menu-alarms-latency"]
    assert (latency["metricName"], latency["extendedStatistic"], latency["threshold"]) == (
        "TargetResponseTime",
        "p99",
        0.5,
    )
    unhealthy = alarms["menu-alarms-unhealthy"]
    assert unhealthy["dimensions"] == {
        "LoadBalancer": "app/menu-0a1b2c3/0a1b",
        "TargetGroup": "targetgroup/menu-0a1b2c3/0a1b",
    }
    for alarm in alarms.values():
        assert alarm["alarmActions"] == ["arn:topic"]
        assert "First: ops --stack test status menu. Runbook: docs/runbooks/api.md" in alarm["alarmDescription"]


def test_alarms_of_an_http_api():
    alarms = {item.name: item.inputs for item in record(linked).of_type("MetricAlarm")}
    assert sorted(alarms) == ["menu-alarms-errors", "menu-alarms-latency"]
    latency = alarms["menu-alarms-latency"]
    assert (latency["namespace"], latency["metricName"], latency["threshold"]) == ("AWS/ApiGateway", "Latency", 5000)
    assert latency["dimensions"] == {"ApiId": "menu-0a1b2c3"}


def test_the_manifest_has_the_address_and_where_the_key_is():
    manifest = manifest_of(lambda: balanced(max_tasks=4))
    assert manifest.pattern == "api"
    assert manifest.api is not None
    assert manifest.api.url == f"https://menu-0a1b2c3.{REGION}.elb.amazonaws.com/events"
    assert manifest.api.key_secret_arn == SECRET
    assert manifest.service is not None
    assert manifest.scaling is not None
    assert (manifest.scaling.policy, manifest.scaling.min, manifest.scaling.max) == ("requests", 1, 4)
    assert manifest.idempotency_table == "menu-idempotency-0a1b2c3"
    assert len(manifest.alarms) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "/health"}, "path is '/health'; allowed is a path other than '/health'"),
        ({"port": 9000}, "port is 9000, but the load balancer sends to 8080"),
        ({"concurrency": 0}, "concurrency is 0; allowed is a whole number from 1 to 100 requests"),
        ({"max_waiting": -1}, "max_waiting is -1"),
        ({"min_tasks": 0}, "min_tasks is 0; allowed is a whole number from 1 to 5,000 tasks"),
        ({"min_tasks": 9, "max_tasks": 2}, "min_tasks is 9, more than max_tasks (2)"),
        ({"cpu_percent": None}, "there is nothing to follow"),
        ({"error_percent": 0}, "error_percent is 0"),
        (
            {"container": ContainerArgs(image="x", environment={"API_PORT": "1"})},
            "container sets API_PORT, which the pattern owns",
        ),
    ],
)
def test_what_cannot_serve_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: balanced(**changes))
    assert message in str(caught.value)


def test_an_http_api_counts_no_requests_for_scaling():
    with pytest.raises(InvalidArgsError, match="requests_per_task needs a load balancer"):
        record(lambda: linked(requests_per_task=100))


# -- asynchronous -----------------------------------------------------------------------------------------------------


def accepting(**changes: Any) -> AcceptingApi:
    bus = EventBus("events")
    worker = QueueWorkerArgs(bus=bus, **parts())
    return AcceptingApi("menu", AcceptingApiArgs(**{"bus": bus, "worker": worker, **changes}))


def test_a_queue_with_workers_of_its_own():
    recorder = record(accepting)
    integration = recorder.one("aws:apigatewayv2/integration:Integration").inputs
    assert integration["integrationSubtype"] == "SQS-SendMessage"
    assert integration["requestParameters"]["QueueUrl"].endswith("/menu-0a1b2c3")
    assert environment_of(recorder)["QUEUE_URL"].endswith("/menu-0a1b2c3")
    assert recorder.of_type("aws:cloudwatch/eventRule:EventRule") == []
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "AWS_IAM"
    assert walk_policies(recorder) == []


def test_the_bus_in_the_name_of_one_producer():
    recorder = record(lambda: accepting(worker=None, source="pizza.service.com", authorization=None))
    integration = recorder.one("aws:apigatewayv2/integration:Integration").inputs
    assert integration["integrationSubtype"] == "EventBridge-PutEvents"
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "NONE"


def test_their_manifests():
    queue = manifest_of(accepting)
    assert (queue.pattern, queue.name) == ("api", "menu")
    assert queue.api is not None
    assert queue.api.url == f"https://menu-0a1b2c3.execute-api.{REGION}.amazonaws.com/events"
    assert queue.queue is not None
    assert [dlq.holds for dlq in queue.dead_letter_queues] == [Holds.MESSAGES]
    assert any("api-alarms" in name for name in queue.alarms)
    assert any("dead-letters" in name for name in queue.alarms)
    bus = manifest_of(lambda: accepting(worker=None, source="pizza.service.com"))
    assert bus.bus is not None
    assert (bus.queue, bus.service) == (None, None)
    assert len(bus.alarms) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worker": None}, "set exactly one of worker"),
        ({"source": "pizza.service.com"}, "set exactly one of worker"),
    ],
)
def test_events_go_to_one_place(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidArgsError, match=message):
        record(lambda: accepting(**changes))


def test_only_the_api_sends_to_its_queue():
    def program() -> None:
        bus = EventBus("events")
        worker = QueueWorkerArgs(bus=bus, event_pattern=ORDERS, **parts())
        AcceptingApi("menu", AcceptingApiArgs(bus=bus, worker=worker))

    with pytest.raises(InvalidArgsError, match="worker has an event pattern; leave it out"):
        record(program)


# -- api-push ---------------------------------------------------------------------------------------------------------


def push(**changes: Any) -> ApiPush:
    arguments = {"bus": EventBus("events"), "event_pattern": ORDERS, **changes}
    if "api" not in arguments:
        arguments["api"] = ApiArgs(ingress=HttpApiIngress(), **parts())
    return ApiPush("menu", ApiPushArgs(**arguments))


def existing(**changes: Any) -> ExistingApi:
    login = ApiKey(header="x-key", value=pulumi.Output.secret("s3cret"))
    return ExistingApi(**{"url": "https://api.example.com/orders", "credentials": login, **changes})


def test_events_are_pushed_to_an_api_of_its_own():
    recorder = record(push)
    destination = recorder.one("aws:cloudwatch/eventApiDestination:EventApiDestination").inputs
    assert destination["invocationEndpoint"] == f"https://menu-0a1b2c3.execute-api.{REGION}.amazonaws.com/events"
    assert (destination["httpMethod"], destination["invocationRateLimitPerSecond"]) == ("POST", 300)
    connection = recorder.one("aws:cloudwatch/eventConnection:EventConnection").inputs
    assert connection["authParameters"]["apiKey"]["key"] == "x-api-key"
    target = recorder.one("aws:cloudwatch/eventTarget:EventTarget").inputs
    assert target["arn"].endswith(":api-destination/menu-0a1b2c3/0a1b")
    assert target["retryPolicy"] == {"maximumRetryAttempts": 185, "maximumEventAgeInSeconds": 86_400}
    assert target["deadLetterConfig"]["arn"].endswith(":menu-undelivered-0a1b2c3")
    role = policy_of(recorder.one("RolePolicy", "menu-delivery-role-policy").inputs["policy"])
    assert [statement["Action"] for statement in role] == [["events:InvokeApiDestination"]]
    assert walk_policies(recorder) == []


def test_the_api_checks_the_key_that_the_connection_shows():
    recorder = record(push)
    made = recorder.one("aws:secretsmanager/secretVersion:SecretVersion").inputs["secretString"]
    shown = recorder.one("aws:cloudwatch/eventConnection:EventConnection").inputs["authParameters"]["apiKey"]["value"]
    assert _plain(shown) == made
    assert [item["name"] for item in container_of(recorder)["secrets"]] == ["API_KEYS"]


def _plain(value: Any) -> Any:
    return value["value"] if isinstance(value, Mapping) else value


def test_options_of_the_push():
    recorder = record(
        lambda: push(
            api=existing(), requests_per_second=5, maximum_retry_attempts=3, maximum_event_age_seconds=600, alarms=False
        )
    )
    destination = recorder.one("aws:cloudwatch/eventApiDestination:EventApiDestination").inputs
    assert destination["invocationEndpoint"] == "https://api.example.com/orders"
    assert destination["invocationRateLimitPerSecond"] == 5
    target = recorder.one("aws:cloudwatch/eventTarget:EventTarget").inputs
    assert target["retryPolicy"] == {"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 600}
    assert recorder.of_type("aws:ecs/service:Service") == []
    assert recorder.of_type("MetricAlarm") == []


def test_a_private_api_is_reached_through_a_resource_configuration():
    arn = f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:resourceconfiguration/rcfg-0a1b"
    recorder = record(lambda: push(api=existing(private_resource_configuration_arn=arn)))
    connection = recorder.one("aws:cloudwatch/eventConnection:EventConnection").inputs
    assert connection["invocationConnectivityParameters"] == {"resourceParameters": {"resourceConfigurationArn": arn}}


def test_the_push_has_alarms_of_its_own_and_those_of_its_api():
    names = record(push).names("MetricAlarm")
    assert names == ["menu-alarms-errors", "menu-alarms-latency", "menu-failed-invocations", "menu-undelivered"]


def test_the_manifest_says_where_undelivered_events_are():
    manifest = manifest_of(push)
    assert manifest.pattern == "api-push"
    (dead_letters,) = manifest.dead_letter_queues
    assert dead_letters.holds is Holds.UNDELIVERED_EVENTS
    assert [rule.name for rule in manifest.rules] == ["menu-0a1b2c3"]
    assert manifest.service is not None
    assert manifest.api is not None
    elsewhere = manifest_of(lambda: push(api=existing()))
    assert elsewhere.api is not None
    assert elsewhere.api.url == "https://api.example.com/orders"
    assert (elsewhere.service, elsewhere.scaling) == (None, None)


def test_eventbridge_always_logs_in():
    def program() -> None:
        push(api=ApiArgs(ingress=HttpApiIngress(), api_key=False, **parts()))

    with pytest.raises(InvalidArgsError, match="api.api_key is False"):
        record(program)


# -- settings ---------------------------------------------------------------------------------------------------------

HANDLER = {"function": "worker.handlers.pizza:handle", "image": "registry.example/worker:1"}
BALANCER = {"certificate_arn": CERTIFICATE, "public": True}
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key-AbCdEf"


def built(**settings: Any) -> Recorder:
    parsed = parse({"patterns": json.dumps({"menu": settings})}, "test")

    def program() -> None:
        shared = Shared("shared", parsed)
        build("menu", parsed.patterns["menu"], shared).manifest()

    return record(program)


def mistake(**settings: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        parse({"patterns": json.dumps({"menu": settings})}, "test")
    (problem,) = caught.value.problems
    return problem


def test_a_load_balancer_is_the_default():
    recorder = built(pattern="api", handler=HANDLER, load_balancer={**BALANCER, "web_acl_arn": "arn:waf"})
    assert recorder.names("aws:lb/listener:Listener") == ["menu-http", "menu-https"]
    assert recorder.one("aws:wafv2/webAclAssociation:WebAclAssociation").inputs["webAclArn"] == "arn:waf"


def test_an_http_api_with_tokens():
    jwt = {"issuer": "https://login.example", "audience": ["menu"]}
    recorder = built(pattern="api", handler=HANDLER, ingress="http-api", http_api={"jwt": jwt, "burst": 7})
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "JWT"
    stage = recorder.one("aws:apigatewayv2/stage:Stage").inputs
    assert stage["defaultRouteSettings"]["throttlingBurstLimit"] == 7


def test_asynchronous_with_a_queue_asks_for_signatures_unless_it_is_open():
    recorder = built(pattern="api", mode="asynchronous", handler=HANDLER)
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "AWS_IAM"
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 0
    opened = built(pattern="api", mode="asynchronous", handler=HANDLER, http_api={"open": True})
    assert opened.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "NONE"


def test_asynchronous_with_the_bus():
    recorder = built(pattern="api", mode="asynchronous", accept={"to": "bus", "source": "pizza.service.com"})
    integration = recorder.one("aws:apigatewayv2/integration:Integration").inputs
    assert integration["requestParameters"]["Source"] == "pizza.service.com"


def test_a_push_to_its_own_api_and_to_one_that_exists():
    own = built(pattern="api-push", events=ORDERS, api={"handler": HANDLER}, requests_per_second=9)
    destination = own.one("aws:cloudwatch/eventApiDestination:EventApiDestination").inputs
    assert destination["invocationRateLimitPerSecond"] == 9
    login = {"header": "x-key", "secret_arn": SECRET_ARN}
    other = built(pattern="api-push", events=ORDERS, existing={"url": "https://api.example.com", "api_key": login})
    connection = other.one("aws:cloudwatch/eventConnection:EventConnection").inputs
    assert connection["authParameters"]["apiKey"]["key"] == "x-key"
    assert _plain(connection["authParameters"]["apiKey"]["value"]) == f"value of {SECRET_ARN}"


@pytest.mark.parametrize(
    ("login", "kind"),
    [
        ({"basic": {"username": "menu", "secret_arn": SECRET_ARN}}, "BASIC"),
        (
            {"oauth": {"token_url": "https://login.example/token", "client_id": "menu", "secret_arn": SECRET_ARN}},
            "OAUTH_CLIENT_CREDENTIALS",
        ),
    ],
)
def test_other_logins(login: dict[str, Any], kind: str):
    recorder = built(pattern="api-push", events=ORDERS, existing={"url": "https://api.example.com", **login})
    assert recorder.one("aws:cloudwatch/eventConnection:EventConnection").inputs["authorizationType"] == kind


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "handler is missing: it answers the requests"),
        ({"handler": HANDLER}, "load_balancer is missing; say how it is reached, or set ingress: http-api"),
        ({"handler": HANDLER, "ingress": "http-api", "load_balancer": BALANCER}, "load_balancer is set, but ingress"),
        ({"handler": HANDLER, "load_balancer": {"public": True}}, "set exactly one of certificate_arn"),
        ({"handler": HANDLER, "load_balancer": {"http_only": True}}, "ingress_cidrs is empty, so nobody could connect"),
        ({"handler": HANDLER, "load_balancer": {**BALANCER, "zone_id": "Z1"}}, "zone_id needs domain_name"),
        (
            {"handler": HANDLER, "load_balancer": BALANCER, "path": "/health"},
            "is '/health', which answers health checks",
        ),
        ({"handler": HANDLER, "load_balancer": BALANCER, "accept": {}}, "accept is for mode: asynchronous"),
        (
            {"handler": HANDLER, "ingress": "http-api", "scaling": {"requests_per_task": 5}},
            "scaling.requests_per_task needs ingress: load-balancer",
        ),
        ({"handler": HANDLER, "load_balancer": BALANCER, "scaling": {"min": 3, "max": 2}}, "is 2, less than min (3)"),
        ({"handler": HANDLER, "ingress": "http-api", "http_api": {"open": True}}, "http_api.open is for mode"),
        (
            {"handler": HANDLER, "ingress": "http-api", "http_api": {"open": True, "iam": True}},
            "set at most one of iam",
        ),
        ({"mode": "asynchronous"}, "handler goes with accept.to: queue"),
        ({"mode": "asynchronous", "handler": HANDLER, "api_key": True}, "api_key is for mode: request-response"),
        (
            {"mode": "asynchronous", "handler": HANDLER, "load_balancer": BALANCER},
            "has an HTTP API and no load balancer",
        ),
        ({"mode": "asynchronous", "accept": {"to": "bus"}}, "source goes with to: bus, and to: bus needs it"),
        ({"mode": "asynchronous", "accept": {"to": "bus", "source": "aws.s3"}}, "sources that start with aws."),
        ({"mode": "asynchronous", "handler": HANDLER, "accept": {"queue": {"fifo": True}}}, "queue.fifo is true"),
    ],
)
def test_a_wrong_api_is_one_line(settings: dict[str, Any], problem: str):
    assert problem in mistake(pattern="api", **settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "set exactly one of api (one of its own) and existing"),
        ({"existing": {"url": "https://api.example.com"}}, "set exactly one of api_key, basic and oauth"),
        ({"existing": {"url": "http://api.example.com", "api_key": {"secret_arn": SECRET_ARN}}}, "an https URL"),
        ({"api": {"handler": HANDLER, "api_key": False}}, "EventBridge always logs in"),
        ({"api": {"handler": HANDLER, "http_api": {"iam": True}}}, "are not for EventBridge, which shows the API key"),
        (
            {
                "api": {
                    "handler": HANDLER,
                    "ingress": "load-balancer",
                    "load_balancer": {"http_only": True, "public": True},
                }
            },
            "EventBridge needs HTTPS and public: true",
        ),
    ],
)
def test_a_wrong_push_is_one_line(settings: dict[str, Any], problem: str):
    assert problem in mistake(pattern="api-push", events=ORDERS, **settings)


def test_iam_is_a_thing_of_the_gateway():
    recorder = record(lambda: Api("menu", ApiArgs(ingress=HttpApiIngress(authorization=IamAuthorization()), **parts())))
    assert recorder.one("aws:apigatewayv2/route:Route").inputs["authorizationType"] == "AWS_IAM"
