"""Rules whose targets failed, and targets that count what reaches them."""

from __future__ import annotations

import http.server
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from contracts.messages import ERROR_CODE, RULE_ARN, TARGET_ARN
from tests.emulator import free_port
from tests.ops.scene import Scene

__all__ = [
    "Api",
    "FailedRule",
    "api_destination",
    "cluster",
    "event",
    "function",
    "letter_attributes",
    "number_of",
    "role",
    "state_machine",
    "tasks",
    "web_server",
]


def event(number: int, **more: Any) -> dict[str, Any]:
    """An order as EventBridge delivers it."""
    return {
        "version": "0",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "source": "pizza.service.com",
        "account": "123456789012",
        "region": "ap-southeast-2",
        "time": "2026-11-20T10:00:00Z",
        "resources": [],
        "detail-type": "OrderCreated",
        "detail": {
            "metadata": {"idempotency-key": f"k{number}"},
            "data": {"number": number, "city": f"city {number % 3}"},
        },
        **more,
    }


def letter_attributes(rule_arn: str, target_arn: str, code: str = "ERROR_FROM_TARGET") -> dict[str, Any]:
    """What EventBridge attaches to what it cannot deliver."""
    values = {RULE_ARN: rule_arn, TARGET_ARN: target_arn, ERROR_CODE: code, "ERROR_MESSAGE": "it failed"}
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


@dataclass
class FailedRule:
    """A rule with the target under test and, on the same rule and on another one, a queue that must get nothing."""

    scene: Scene
    target_arn: str
    target: Mapping[str, Any] = field(default_factory=dict)
    name: str = "orders"
    rule_arn: str = field(init=False)
    dlq: str = field(init=False)
    bystander: str = field(init=False)

    def __post_init__(self) -> None:
        events = self.scene.account.client("events")
        self.dlq, self.bystander = self.scene.queue(f"{self.name}-undelivered"), self.scene.queue(f"{self.name}-other")
        events.create_event_bus(Name=f"{self.name}-bus")
        arns = []
        for name in (self.name, f"{self.name}-other"):
            pattern = json.dumps({"source": ["pizza.service.com"]})
            arns.append(events.put_rule(Name=name, EventBusName=f"{self.name}-bus", EventPattern=pattern)["RuleArn"])
            self.scene.allow(self.bystander, arns)
            events.put_targets(
                Rule=name,
                EventBusName=f"{self.name}-bus",
                Targets=[{"Id": "bystander", "Arn": self.scene.arn(self.bystander)}],
            )
        self.rule_arn = arns[0]
        entry = {"Id": "target", "Arn": self.target_arn, **self.target}
        answer = events.put_targets(Rule=self.name, EventBusName=f"{self.name}-bus", Targets=[entry])
        assert answer["FailedEntryCount"] == 0

    def dead_letter(self, numbers: range, **more: Any) -> list[dict[str, Any]]:
        """Put events into the dead-letter queue as EventBridge does."""
        made = [event(number, **more) for number in numbers]
        attributes = letter_attributes(self.rule_arn, self.target_arn)
        self.scene.fill(self.dlq, [json.dumps(one) for one in made], MessageAttributes=attributes)
        return made

    def nobody_else_got_anything(self) -> bool:
        return self.scene.counts(self.bystander) == (0, 0)


@dataclass
class Api:
    """What an HTTP server was asked."""

    url: str
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    """Method, path with query, headers (names in lower case), body."""

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for *_, body in self.requests]


@contextmanager
def web_server(*statuses: int, answer: str = "", seconds: float = 0.0) -> Iterator[Api]:
    """An API that answers with these statuses, the last one again and again, after so many seconds."""
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            with lock:
                names = {name.lower(): value for name, value in self.headers.items()}
                api.requests.append((self.command, self.path, names, body))
                status = statuses[min(len(api.requests), len(statuses)) - 1]
            time.sleep(seconds)
            with suppress(ConnectionError):  # whoever asked was killed meanwhile
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    port = free_port()
    api = Api(f"http://127.0.0.1:{port}")
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield api
        server.shutdown()
        thread.join()


def api_destination(scene: Scene, url: str, *, per_second: int = 300, **connection: Any) -> str:
    """An API destination with a connection; by default the API key ``s3cret`` in ``x-api-key``."""
    events = scene.account.client("events")
    login = connection or {
        "AuthorizationType": "API_KEY",
        "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": "s3cret"}},
    }
    made = events.create_connection(Name="partner", **login)
    return str(
        events.create_api_destination(
            Name="partner",
            ConnectionArn=made["ConnectionArn"],
            InvocationEndpoint=url,
            HttpMethod="POST",
            InvocationRateLimitPerSecond=per_second,
        )["ApiDestinationArn"]
    )


def role(scene: Scene) -> str:
    """A role that EventBridge or a function may take."""
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    made = scene.account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def function(scene: Scene, queue_url: str) -> str:
    """A function that puts its event, as it got it, into a queue."""
    code = (
        "import boto3, json\n"
        "def handle(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl={queue_url!r}, MessageBody=json.dumps(event))\n"
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code.py", code)
    made = scene.account.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=role(scene),
        Handler="code.handle",
        Timeout=60,
        Code={"ZipFile": archive.getvalue()},
    )
    return str(made["FunctionArn"])


def state_machine(scene: Scene) -> str:
    """A state machine that does nothing."""
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}}
    made = scene.account.client("stepfunctions").create_state_machine(
        name="orders", definition=json.dumps(definition), roleArn=role(scene)
    )
    return str(made["stateMachineArn"])


def cluster(scene: Scene) -> tuple[str, dict[str, Any]]:
    """A cluster, and a target that runs a task on it which is told the order's number."""
    ecs = scene.account.client("ecs")
    arn = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    ecs.register_task_definition(
        family="f",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        containerDefinitions=[{"name": "main", "image": "an-image"}],
    )
    parameters = {
        "TaskDefinitionArn": f"arn:aws:ecs:{scene.account.region}:{scene.account.id}:task-definition/f",
        "TaskCount": 1,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}},
        "PropagateTags": "TASK_DEFINITION",
        "EnableECSManagedTags": True,
    }
    template = '{"containerOverrides": [{"name": "main", "environment": [{"name": "N", "value": "<n>"}]}]}'
    transformer = {"InputPathsMap": {"n": "$.detail.data.number"}, "InputTemplate": template}
    return arn, {"EcsParameters": parameters, "InputTransformer": transformer, "RoleArn": "arn:aws:iam::1:role/r"}


def tasks(scene: Scene, started_by: str = "events-rule/orders") -> list[dict[str, Any]]:
    """The tasks that were started by this rule."""
    ecs = scene.account.client("ecs")
    arns = {  # one that ends between the two calls is in both
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster="c", startedBy=started_by, desiredStatus=status)["taskArns"]
    }
    return list(ecs.describe_tasks(cluster="c", tasks=sorted(arns))["tasks"]) if arns else []


def number_of(task: dict[str, Any]) -> int:
    """What a task was told."""
    return int(task["overrides"]["containerOverrides"][0]["environment"][0]["value"])
