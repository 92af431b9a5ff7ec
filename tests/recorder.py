"""Recording mocks: run a program without an engine, then ask what it registered.

GIVEN a program, WHEN `record(program)` has run it to its end, THEN the recorder holds every resource with its inputs as
the provider would receive them. Outputs are plausible for their type, so that policies render with real-looking ARNs.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

ACCOUNT = "123456789012"
REGION = "ap-southeast-2"

# service and resource prefix of an ARN, by type token
_ARNS = {
    "aws:sqs/queue:Queue": "sqs:{r}:{a}:{n}",
    "aws:sns/topic:Topic": "sns:{r}:{a}:{n}",
    "aws:cloudwatch/eventBus:EventBus": "events:{r}:{a}:event-bus/{n}",
    "aws:cloudwatch/eventRule:EventRule": "events:{r}:{a}:rule/{n}",
    "aws:cloudwatch/eventArchive:EventArchive": "events:{r}:{a}:archive/{n}",
    "aws:cloudwatch/eventApiDestination:EventApiDestination": "events:{r}:{a}:api-destination/{n}/0a1b",
    "aws:cloudwatch/eventConnection:EventConnection": "events:{r}:{a}:connection/{n}/0a1b",
    "aws:cloudwatch/eventEndpoint:EventEndpoint": "events:{r}:{a}:endpoint/{n}",
    "aws:route53/healthCheck:HealthCheck": "route53:::healthcheck/{n}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:{r}:{a}:alarm:{n}",
    "aws:cloudwatch/logGroup:LogGroup": "logs:{r}:{a}:log-group:{n}",
    "aws:iam/role:Role": "iam::{a}:role/{n}",
    "aws:ecs/cluster:Cluster": "ecs:{r}:{a}:cluster/{n}",
    "aws:ecs/service:Service": "ecs:{r}:{a}:service/cluster/{n}",
    "aws:ecs/taskDefinition:TaskDefinition": "ecs:{r}:{a}:task-definition/{n}:1",
    "aws:kms/key:Key": "kms:{r}:{a}:key/{n}",
    "aws:scheduler/schedule:Schedule": "scheduler:{r}:{a}:schedule/default/{n}",
    "aws:s3/bucket:Bucket": "s3:::{n}",
    "aws:ssm/parameter:Parameter": "ssm:{r}:{a}:parameter{n}",
    "aws:dynamodb/table:Table": "dynamodb:{r}:{a}:table/{n}",
    "aws:lambda/function:Function": "lambda:{r}:{a}:function:{n}",
    "aws:ecr/repository:Repository": "ecr:{r}:{a}:repository/{n}",
    "aws:appautoscaling/policy:Policy": "autoscaling:{r}:{a}:scalingPolicy:{n}",
    "aws:ec2/vpc:Vpc": "ec2:{r}:{a}:vpc/{n}",
    "aws:lb/loadBalancer:LoadBalancer": "elasticloadbalancing:{r}:{a}:loadbalancer/app/{n}/0a1b",
    "aws:lb/targetGroup:TargetGroup": "elasticloadbalancing:{r}:{a}:targetgroup/{n}/0a1b",
    "aws:lb/listener:Listener": "elasticloadbalancing:{r}:{a}:listener/app/{n}/0a1b/2c3d",
    "aws:apigatewayv2/api:Api": "apigateway:{r}::/apis/{n}",
    "aws:servicediscovery/service:Service": "servicediscovery:{r}:{a}:service/srv-{n}",
    "aws:mq/broker:Broker": "mq:{r}:{a}:broker:{n}:b-0a1b2c3",
    "aws:secretsmanager/secret:Secret": "secretsmanager:{r}:{a}:secret:{n}-AbCdEf",
    "aws:kinesis/stream:Stream": "kinesis:{r}:{a}:stream/{n}",
    "aws:msk/cluster:Cluster": "kafka:{r}:{a}:cluster/{n}/0a1b-2c3d-s3",
    "aws:msk/configuration:Configuration": "kafka:{r}:{a}:configuration/{n}/0a1b-2c3d-s3",
    "aws:msk/serverlessCluster:ServerlessCluster": "kafka:{r}:{a}:cluster/{n}/0a1b-2c3d-s3",
    "aws:sfn/activity:Activity": "states:{r}:{a}:activity:{n}",
    "aws:sfn/stateMachine:StateMachine": "states:{r}:{a}:stateMachine:{n}",
    "aws:mwaa/environment:Environment": "airflow:{r}:{a}:environment/{n}",
    "aws:kinesis/streamConsumer:StreamConsumer": "kinesis:{r}:{a}:stream/stream/consumer/{n}:1700000000",
}


def _broker_instances(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Amazon MQ answers with one instance of RabbitMQ, also for a cluster, and with each of ActiveMQ's."""
    if inputs["engineType"] == "RabbitMQ":
        return [{"endpoints": [f"amqps://b-0a1b2c3.mq.{REGION}.amazonaws.com:5671"]}]
    ports = {"ssl": 61617, "amqp+ssl": 5671, "stomp+ssl": 61614, "mqtt+ssl": 8883, "wss": 61619}
    numbers = (1, 2) if inputs["deploymentMode"] == "ACTIVE_STANDBY_MULTI_AZ" else (1,)
    return [
        {"endpoints": [f"{scheme}://b-0a1b2c3-{n}.mq.{REGION}.amazonaws.com:{port}" for scheme, port in ports.items()]}
        for n in numbers
    ]


@dataclass(frozen=True)
class Resource:
    """One registration: `type` is the token, `inputs` what the provider receives (camelCase), `secrets` which of them
    the state keeps encrypted."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    custom: bool
    secrets: frozenset[str] = frozenset()
    provider: str = ""
    """``urn::id`` of an explicit provider; empty for the stack's own."""


@dataclass
class Recorder(Mocks):
    """Records registrations; answers with plausible outputs."""

    resources: list[Resource] = field(default_factory=list)
    preview: bool = False
    """Answer with the inputs only: what is missing is unknown then, as it is before a resource exists."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        with self._lock:
            inputs = {key: _revealed(value) for key, value in args.inputs.items()}
            secrets = frozenset(key for key, value in args.inputs.items() if inputs[key] is not value)
            self.resources.append(
                Resource(args.typ, args.name, inputs, bool(args.custom), secrets, args.provider or "")
            )
        outputs = dict(args.inputs)
        if self.preview:
            return None, outputs
        physical = outputs.setdefault("name", f"{args.name}-0a1b2c3")
        if template := _ARNS.get(args.typ):
            outputs.setdefault("arn", "arn:aws:" + template.format(r=REGION, a=ACCOUNT, n=physical))
        if args.typ == "aws:sqs/queue:Queue":
            outputs["url"] = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{physical}"
            return outputs["url"], outputs
        if args.typ == "aws:cloudwatch/eventEndpoint:EventEndpoint":
            outputs["endpointUrl"] = "https://abcde.veo.endpoint.events.amazonaws.com"
        if args.typ in ("aws:msk/cluster:Cluster", "aws:msk/serverlessCluster:ServerlessCluster"):
            outputs |= {"clusterName": physical, "bootstrapBrokersSaslIam": f"b-1.{physical}.kafka.amazonaws.com:9098"}
        if args.typ == "aws:msk/configuration:Configuration":
            outputs["latestRevision"] = 1
        if args.typ == "aws:s3/bucket:Bucket":
            outputs["bucket"] = physical
        if args.typ == "aws:s3/bucketObjectv2:BucketObjectv2":
            outputs["versionId"] = "v1"
        if args.typ == "aws:mwaa/environment:Environment":
            outputs["webserverUrl"] = f"0a1b2c3.{REGION}.airflow.amazonaws.com"
        if args.typ == "aws:kms/key:Key":
            outputs["keyId"] = physical
        if args.typ == "aws:lb/loadBalancer:LoadBalancer":
            outputs |= {"dnsName": f"{physical}.{REGION}.elb.amazonaws.com", "arnSuffix": f"app/{physical}/0a1b"}
            outputs["zoneId"] = "Z1GM3OXH4ZPM65"
        if args.typ == "aws:lb/targetGroup:TargetGroup":
            outputs["arnSuffix"] = f"targetgroup/{physical}/0a1b"
        if args.typ == "aws:apigatewayv2/api:Api":
            outputs["apiEndpoint"] = f"https://{physical}.execute-api.{REGION}.amazonaws.com"
        if args.typ == "aws:ecr/repository:Repository":
            outputs |= {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{physical}", "registryId": ACCOUNT}
        if args.typ == "docker-build:index:Image":
            outputs["ref"] = f"{outputs['tags'][0]}@sha256:{'0' * 64}"
        if args.typ == "aws:lambda/functionUrl:FunctionUrl":
            outputs["functionUrl"] = f"https://0a1b.lambda-url.{REGION}.on.aws/"
        if args.typ == "aws:mq/broker:Broker":
            outputs |= {"brokerName": physical, "instances": _broker_instances(outputs)}
        if args.typ == "aws:ecs/taskDefinition:TaskDefinition":
            outputs["arnWithoutRevision"] = outputs["arn"].rpartition(":")[0]
        return physical, outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "arn": "arn", "userId": "user"},
            "aws:index/getRegion:getRegion": {"region": REGION, "name": REGION, "id": REGION},
            "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": [f"{REGION}{zone}" for zone in "abc"],
                "zoneIds": ["apse2-az1", "apse2-az2", "apse2-az3"],
            },
            "aws:secretsmanager/getSecretVersion:getSecretVersion": {
                "secretString": f"value of {args.args.get('secretId')}"
            },
            "aws:secretsmanager/getRandomPassword:getRandomPassword": {
                "randomPassword": "generated",
                "id": "generated",
            },
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
                "userName": "AWS",
                "password": "secret",
                "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
            },
        }
        if args.token not in answers:
            raise AssertionError(f"the program called {args.token}, which the recorder does not know")
        return answers[args.token], []

    def of_type(self, token: str) -> list[Resource]:
        """All resources of a type, by full token (``aws:sqs/queue:Queue``) or by its last part (``Queue``)."""
        return [item for item in self.resources if item.type == token or item.type.rsplit(":", 1)[-1] == token]

    def one(self, token: str, name: str | None = None) -> Resource:
        """The only resource of a type (with this logical name)."""
        found = [item for item in self.of_type(token) if name is None or item.name == name]
        assert len(found) == 1, f"expected one {token} {name or ''}, found {[item.name for item in found]}"
        return found[0]

    def names(self, token: str) -> list[str]:
        return sorted(item.name for item in self.of_type(token))

    def children(self) -> dict[str, int]:
        """How many custom resources of each type."""
        counts: dict[str, int] = {}
        for item in self.resources:
            if item.custom:
                counts[item.type] = counts.get(item.type, 0) + 1
        return counts


def record(program: Callable[[], Any], *, preview: bool = False, project: str = "eda", stack: str = "test") -> Recorder:
    """Run `program` as Pulumi would, on recording mocks, and return what it registered.

    With `preview`, outputs that the provider would compute are unknown. An exception of the program is raised here.
    """
    recorder = Recorder(preview=preview)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        set_mocks(recorder, project=project, stack=stack, preview=preview)
        loop.run_until_complete(run_pulumi_func(lambda: program()))
    except BaseException:
        _abandon(loop)
        raise
    finally:
        loop.close()
        asyncio.set_event_loop(None)
        gc.enable()  # the program turns it off for its own, short process
    return recorder


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """End what a failed program left waiting; left to the garbage collector, it breaks Python 3.11's `ast`."""
    while pending := asyncio.all_tasks(loop):
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    gc.collect()


def _revealed(value: Any) -> Any:
    """The plain value of a secret input."""
    return value["value"] if isinstance(value, dict) and rpc._special_sig_key in value else value


def policy_of(document: str) -> list[dict[str, Any]]:
    """The statements of a rendered policy."""
    statements: list[dict[str, Any]] = json.loads(document)["Statement"]
    return statements


def set_config(values: Mapping[str, Any]) -> None:
    """Stack settings for the next program: objects become JSON text, as the CLI passes them."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    pulumi.runtime.set_all_config(texts)
