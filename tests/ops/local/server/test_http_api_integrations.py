"""HTTP APIs in front of a queue, a bus, and tasks in Cloud Map."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from contracts.environment import API_HOST
from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, depth, queue, receive, wait_until

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Gateway:
    """One HTTP API of an account with one route."""

    def __init__(self, account: Account, route_key: str, **integration: Any) -> None:
        self._endpoint = account.endpoint_url
        client = account.client("apigatewayv2")
        self.api_id = client.create_api(Name="menu", ProtocolType="HTTP")["ApiId"]
        self.integration = client.create_integration(ApiId=self.api_id, **integration)
        target = f"integrations/{self.integration['IntegrationId']}"
        client.create_route(ApiId=self.api_id, RouteKey=route_key, Target=target)
        client.create_stage(ApiId=self.api_id, StageName="$default", AutoDeploy=True)
        # A caller without credentials is in the default account; the tests have one each.
        self._scope = f"AWS4-HMAC-SHA256 Credential={account.id}/20261120/{account.region}/execute-api/aws4_request"

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str]:
        url = f"{self._endpoint}/_aws/execute-api/{self.api_id}{path}"
        request = urllib.request.Request(url, body, {"Authorization": self._scope, **headers}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def role(account: Account, trust: dict[str, Any] = _TRUST) -> str:
    created = account.client("iam").create_role(RoleName="gate", AssumeRolePolicyDocument=json.dumps(trust))
    return str(created["Role"]["Arn"])


def to_queue(url: str, role_arn: str | None, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": "SQS-SendMessage",
        "PayloadFormatVersion": "1.0",
        "RequestParameters": {"QueueUrl": url, "MessageBody": "$request.body"},
        "ResponseParameters": {"200": {"overwrite:statuscode": "202"}},
    }
    return {**settings, **({"CredentialsArn": role_arn} if role_arn else {}), **changes}


def test_the_body_becomes_a_message_and_the_caller_gets_202_with_its_id(account: Account):
    url, _ = queue(account, "orders")
    gateway = Gateway(account, "POST /events", **to_queue(url, role(account)))
    assert gateway.integration["IntegrationSubtype"] == "SQS-SendMessage"
    status, body = gateway.post("/events", '{"näme": 1}'.encode())
    message = receive(account, url)
    assert status == 202
    assert message["Body"] == '{"näme": 1}'
    assert f"<MessageId>{message['MessageId']}</MessageId>" in body


def test_other_paths_reach_no_queue(account: Account):
    url, _ = queue(account, "orders")
    gateway = Gateway(account, "POST /events", **to_queue(url, role(account)))
    assert gateway.post("/elsewhere", b"{}")[0] == 404
    assert depth(account, url) == 0


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        (None, "the integration has no credentialsArn"),
        ({**_TRUST, "Statement": []}, "does not allow apigateway.amazonaws.com to assume it"),
    ],
)
def test_without_a_role_that_api_gateway_may_assume_nothing_is_sent(
    account: Account, trust: dict[str, Any] | None, reason: str
):
    url, _ = queue(account, "orders")
    role_arn = role(account, trust) if trust else None
    status, body = Gateway(account, "POST /events", **to_queue(url, role_arn)).post("/events", b"{}")
    assert (status, depth(account, url)) == (500, 0)
    assert reason in body


def test_a_queue_that_is_gone_is_the_callers_error(account: Account):
    url, _ = queue(account, "orders")
    gateway = Gateway(account, "POST /events", **to_queue(url, role(account)))
    account.client("sqs").delete_queue(QueueUrl=url)
    assert gateway.post("/events", b"{}")[0] == 400


def test_an_empty_body_is_no_message(account: Account):
    url, _ = queue(account, "orders")
    assert Gateway(account, "POST /events", **to_queue(url, role(account))).post("/events", b"")[0] == 400


def test_a_bus_gets_the_body_as_detail_under_a_fixed_source(account: Account):
    events = account.client("events")
    events.create_event_bus(Name="bus")
    url, arn = queue(account, "orders")
    rule = events.put_rule(Name="r", EventBusName="bus", EventPattern='{"source": ["pizza"]}')["RuleArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule="r", EventBusName="bus", Targets=[{"Id": "1", "Arn": arn}])
    gateway = Gateway(
        account,
        "POST /events/{type}",
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="EventBridge-PutEvents",
        PayloadFormatVersion="1.0",
        CredentialsArn=role(account),
        RequestParameters={
            "EventBusName": "bus",
            "Source": "pizza",
            "DetailType": "$request.path.type",
            "Detail": "$request.body",
        },
        ResponseParameters={"200": {"overwrite:statuscode": "202"}},
    )
    status, body = gateway.post("/events/OrderCreated", b'{"n": 1}')
    envelope = json.loads(receive(account, url)["Body"])
    assert status == 202
    assert json.loads(body) == {"FailedEntryCount": 0, "Entries": [{"EventId": envelope["id"]}]}
    assert (envelope["source"], envelope["detail-type"], envelope["detail"]) == ("pizza", "OrderCreated", {"n": 1})
    # EventBridge answers 200 for what it refuses, too, and so the status is the same.
    status, body = gateway.post("/events/OrderCreated", b"[1]")
    refused = json.loads(body)
    assert (status, refused["FailedEntryCount"]) == (202, 1)
    assert refused["Entries"][0]["ErrorCode"] == "MalformedDetail"


_SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(" ".join([self.path, self.headers["X-Seen"], body.decode(), os.environ["{host}"]]).encode())
http.server.HTTPServer((os.environ["{host}"], 8080), Handler).serve_forever()
""".replace("{host}", API_HOST)


def test_tasks_in_cloud_map_answer_through_a_vpc_link(account: Account, fargate: Fargate):
    discovery = account.client("servicediscovery")
    operation = discovery.create_private_dns_namespace(Name="menu.internal", Vpc="vpc-1")["OperationId"]
    namespace = discovery.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    registry = discovery.create_service(
        Name="tasks", NamespaceId=namespace, DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 10}]}
    )["Service"]["Arn"]
    gateway = Gateway(
        account,
        "POST /events",
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        IntegrationUri=registry,
        ConnectionType="VPC_LINK",
        ConnectionId="link",
        PayloadFormatVersion="1.0",
    )
    # GIVEN no task, THEN nobody answers
    assert gateway.post("/events", b"x")[0] == 503
    # WHEN there are two, each on its own address, THEN both answer
    definition = fargate.define("menu", [_SERVER], image="python")
    fargate.create_service(
        "menu",
        definition,
        2,
        serviceRegistries=[{"registryArn": registry, "containerName": "main", "containerPort": 8080}],
    )
    fargate.wait_for_running("menu", 2)
    answered: set[str] = set()

    def both_answer() -> bool:
        status, body = gateway.post("/events", b"body", **{"X-Seen": "yes"})
        if status == 201:
            start, _, host = body.rpartition(" ")
            assert start == "/events yes body"
            answered.add(host)
        return len(answered) == 2

    wait_until(both_answer, "an answer of each task")


def test_each_task_is_told_its_own_address(account: Account, fargate: Fargate):
    command = [f"import os, time; print('host', os.environ['{API_HOST}'], flush=True); time.sleep(600)"]
    definition = fargate.define("print", command, image="python")
    tasks = [fargate.run(definition) for _ in range(2)]

    def address(arn: str) -> str:
        fargate.wait_for(arn, "RUNNING")
        wait_until(lambda: "host " in fargate.log(arn), "its address")
        return str(fargate.log(arn).split("host ")[-1].split()[0])

    hosts = {address(arn) for arn in tasks}
    assert len(hosts) == 2
    for host in hosts:
        with socket.socket() as probe:
            probe.bind((host, 0))
