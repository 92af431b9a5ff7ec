from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.compute.api_key import GeneratedApiKey, GeneratedApiKeyArgs
from components.compute.http_api import HttpApi, HttpApiArgs, IamAuthorization, JwtAuthorization
from components.compute.http_api_integrations import BusIntegration, Integration, QueueIntegration, ServiceIntegration
from components.compute.service_registry import ServiceRegistry, ServiceRegistryArgs
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network
from components.routers.event_bus import EventBus
from components.stores.queue import Queue, QueueArgs
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record


def api(integration: Callable[[], Integration], **changes: Any) -> Recorder:
    return record(lambda: HttpApi("menu", HttpApiArgs(integration=integration(), **changes)))


def to_queue(**changes: Any) -> Integration:
    return QueueIntegration(queue=Queue("orders", QueueArgs(**changes)))


def to_bus(**changes: Any) -> Integration:
    return BusIntegration(**{"bus": EventBus("events"), "source": "pizza.service.com", **changes})


def to_service(**changes: Any) -> Integration:
    network = Network("network")
    return ServiceIntegration(
        registry=ServiceRegistry("kitchen", ServiceRegistryArgs(network=network)), network=network, **changes
    )


def integration_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:apigatewayv2/integration:Integration").inputs)


def route_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:apigatewayv2/route:Route").inputs)


def test_a_queue_gets_the_body_and_the_caller_202():
    recorder = api(to_queue)
    inputs = integration_of(recorder)
    assert (inputs["integrationType"], inputs["integrationSubtype"]) == ("AWS_PROXY", "SQS-SendMessage")
    assert inputs["payloadFormatVersion"] == "1.0"
    assert inputs["requestParameters"] == {
        "QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders-0a1b2c3",
        "MessageBody": "$request.body",
        "Region": REGION,
    }
    assert inputs["responseParameters"] == [{"statusCode": "200", "mappings": {"overwrite:statuscode": "202"}}]
    assert route_of(recorder)["routeKey"] == "POST /events"
    assert route_of(recorder)["target"] == "integrations/menu-integration-0a1b2c3"


def test_the_role_may_send_to_that_queue_and_nothing_else():
    recorder = api(to_queue)
    (statement,) = policy_of(recorder.one("RolePolicy").inputs["policy"])
    assert statement["Action"] == ["sqs:SendMessage"]
    assert statement["Resource"] == [f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-0a1b2c3"]
    (trust,) = policy_of(recorder.one("Role").inputs["assumeRolePolicy"])
    assert trust["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert trust["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}
    assert walk_policies(recorder) == []


def test_a_queue_with_a_key_of_its_own_needs_the_key_too():
    def program() -> None:
        HttpApi("menu", HttpApiArgs(integration=to_queue(encryption_key=EncryptionKey("key"))))

    actions = [s["Action"] for s in policy_of(record(program).one("RolePolicy").inputs["policy"])]
    assert actions == [["sqs:SendMessage"], ["kms:Decrypt", "kms:GenerateDataKey"]]


def test_a_bus_gets_a_fixed_source_and_the_type_of_the_path():
    recorder = api(to_bus)
    inputs = integration_of(recorder)
    assert inputs["integrationSubtype"] == "EventBridge-PutEvents"
    assert inputs["requestParameters"] == {
        "EventBusName": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/events-0a1b2c3",
        "Source": "pizza.service.com",
        "DetailType": "$request.path.type",
        "Detail": "$request.body",
        "Region": REGION,
    }
    assert route_of(recorder)["routeKey"] == "POST /events/{type}"
    (statement,) = policy_of(recorder.one("RolePolicy").inputs["policy"])
    assert statement["Action"] == ["events:PutEvents"]
    assert statement["Resource"] == [inputs["requestParameters"]["EventBusName"]]


def test_a_service_is_reached_through_a_vpc_link_of_its_own():
    recorder = api(lambda: to_service(path="/orders", timeout_seconds=12.5))
    inputs = integration_of(recorder)
    assert (inputs["integrationType"], inputs["integrationMethod"]) == ("HTTP_PROXY", "ANY")
    assert (inputs["connectionType"], inputs["connectionId"]) == ("VPC_LINK", "menu-link-0a1b2c3")
    assert inputs["integrationUri"].startswith(f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/")
    assert inputs["timeoutMilliseconds"] == 12_500
    assert "credentialsArn" not in inputs
    assert route_of(recorder)["routeKey"] == "POST /orders"
    link = recorder.one("aws:apigatewayv2/vpcLink:VpcLink").inputs
    assert link["securityGroupIds"] == ["menu-link-0a1b2c3"]
    assert link["subnetIds"] == ["network-public-1-0a1b2c3", "network-public-2-0a1b2c3"]
    assert recorder.of_type("Role") == []


def test_the_tasks_behind_a_vpc_link_admit_it_and_nobody_else():
    recorder = api(to_service)
    into = recorder.one("SecurityGroupIngressRule", "menu-into-tasks").inputs
    assert (into["securityGroupId"], into["referencedSecurityGroupId"]) == (
        "kitchen-behind-0a1b2c3",
        "menu-link-0a1b2c3",
    )
    assert (into["fromPort"], into["toPort"]) == (8080, 8080)


def test_tasks_are_found_with_their_port():
    recorder = record(lambda: ServiceRegistry("kitchen", ServiceRegistryArgs(network=Network("network"))))
    (dns,) = recorder.one("aws:servicediscovery/service:Service").inputs["dnsConfig"]["dnsRecords"]
    assert dns["type"] == "SRV"
    namespace = recorder.one("aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace").inputs
    assert namespace["name"] == "kitchen.test.internal"


def test_it_is_throttled_and_logged():
    recorder = api(to_queue, requests_per_second=7, burst=9, log_retention_days=14)
    stage = recorder.one("aws:apigatewayv2/stage:Stage").inputs
    assert (stage["name"], stage["autoDeploy"]) == ("$default", True)
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 7, "throttlingBurstLimit": 9}
    log = stage["accessLogSettings"]
    assert log["destinationArn"].endswith(":log-group:menu-access-0a1b2c3")
    assert json.loads(log["format"])["integrationErrorMessage"] == "$context.integrationErrorMessage"
    assert recorder.one("LogGroup").inputs["retentionInDays"] == 14


def test_everybody_may_call_unless_told_otherwise():
    assert route_of(api(to_queue))["authorizationType"] == "NONE"


def test_callers_may_have_to_sign():
    assert route_of(api(to_queue, authorization=IamAuthorization()))["authorizationType"] == "AWS_IAM"


def test_callers_may_need_a_token():
    jwt = JwtAuthorization(issuer="https://login.example", audience=["menu"], scopes=["order"])
    recorder = api(to_queue, authorization=jwt)
    authorizer = recorder.one("aws:apigatewayv2/authorizer:Authorizer").inputs
    assert authorizer["jwtConfiguration"] == {"issuer": "https://login.example", "audiences": ["menu"]}
    route = route_of(recorder)
    assert (route["authorizationType"], route["authorizerId"]) == ("JWT", "menu-authorizer-0a1b2c3")
    assert route["authorizationScopes"] == ["order"]


@pytest.mark.parametrize(
    ("integration", "changes", "message"),
    [
        (lambda: to_queue(fifo=True), {}, "queue is FIFO; allowed is a standard queue"),
        (lambda: to_bus(source="aws.ec2"), {}, "source is 'aws.ec2'; allowed are 1 to 256 characters"),
        (lambda: to_bus(source="$request.body.source"), {}, "source is '$request.body.source'"),
        (lambda: to_bus(path="events"), {}, "path is 'events'; allowed is a path, e.g. '/events'"),
        (lambda: to_service(timeout_seconds=31), {}, "timeout_seconds is 31; allowed is a number from 0.05 to 30"),
        (to_queue, {"requests_per_second": 0}, "requests_per_second is 0; allowed is a whole number from 1 to 10,000"),
        (to_queue, {"burst": 5001}, "burst is 5001; allowed is a whole number from 1 to 5,000 requests"),
        (to_queue, {"log_retention_days": 2}, "log_retention_days is 2; allowed is one of 1, 3, 5"),
        (
            to_queue,
            {"authorization": JwtAuthorization(issuer="http://x", audience=["a"])},
            "authorization.issuer is 'http://x'; allowed is an https URL",
        ),
        (
            to_queue,
            {"authorization": JwtAuthorization(issuer="https://x", audience=[])},
            "authorization.audience is empty",
        ),
    ],
)
def test_what_would_not_work_is_refused(integration: Any, changes: dict[str, Any], message: str):
    with pytest.raises(InvalidArgsError) as caught:
        api(integration, **changes)
    assert message in str(caught.value)


def test_a_key_is_generated_once_and_never_plain():
    values: list[bool] = []

    async def keep(value: Any) -> None:
        values.append(await value.is_secret())

    def program() -> Any:
        return keep(GeneratedApiKey("menu-key").value)

    recorder = record(program)
    version = recorder.one("aws:secretsmanager/secretVersion:SecretVersion").inputs
    assert version["secretString"] == "generated"
    assert recorder.one("aws:secretsmanager/secret:Secret").inputs["recoveryWindowInDays"] == 7
    assert values == [True]


def test_secrets_manager_knows_no_week_of_three_days():
    with pytest.raises(InvalidArgsError, match="recovery_days is 3; allowed is 0"):
        record(lambda: GeneratedApiKey("menu-key", GeneratedApiKeyArgs(recovery_days=3)))
