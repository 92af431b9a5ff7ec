"""The destinations of a run: one object for each place, so that what is learnt about a place is learnt once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ops.actions.queues import region_of
from ops.actions.replay.destinations.api_destination import ApiDestination
from ops.actions.replay.destinations.base import Refusal
from ops.actions.replay.destinations.connection import Connection
from ops.actions.replay.destinations.ecs_task import EcsCluster
from ops.actions.replay.destinations.event_bus import EventBus
from ops.actions.replay.destinations.function import LambdaFunction
from ops.actions.replay.destinations.http_endpoint import HttpEndpoint
from ops.actions.replay.destinations.kafka_topic import KafkaTopic, producer_settings
from ops.actions.replay.destinations.kinesis import KinesisStream
from ops.actions.replay.destinations.log_group import LogGroup
from ops.actions.replay.destinations.sqs import SqsQueue
from ops.actions.replay.destinations.state_machine import StateMachine
from ops.actions.replay.destinations.topic import SnsTopic
from ops.errors import explain
from ops.kafka import configuration, reachable

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["Destinations"]

D = TypeVar("D")


class Destinations:
    """Makes each destination once. Safe for many threads.

    Args:
        aws: makes the clients, without retries of their own: the sender must know how often it tried.
        halt: set when the run must end; cuts short what a destination waits for.
    """

    def __init__(self, aws: Aws, halt: threading.Event) -> None:
        self._aws = aws
        self._halt = halt
        self._known: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def queue(self, url: str) -> SqsQueue:
        return self._once("sqs", url, lambda: SqsQueue(self._aws.sqs_without_retries(region_of(url)), url))

    def topic(self, arn: str) -> SnsTopic:
        return self._once("sns", arn, lambda: SnsTopic(self._client("sns", arn), arn))

    def stream(self, arn: str) -> KinesisStream:
        return self._once("kinesis", arn, lambda: KinesisStream(self._client("kinesis", arn), arn))

    def state_machine(self, arn: str) -> StateMachine:
        return self._once("states", arn, lambda: StateMachine(self._client("stepfunctions", arn), arn))

    def cluster(self, arn: str) -> EcsCluster:
        return self._once("ecs", arn, lambda: EcsCluster(self._client("ecs", arn), arn))

    def function(self, arn: str) -> LambdaFunction:
        return self._once("lambda", arn, lambda: LambdaFunction(self._client("lambda", arn), arn))

    def log_group(self, arn: str) -> LogGroup:
        return self._once("logs", arn, lambda: LogGroup(self._client("logs", arn), arn))

    def bus(self, arn: str) -> EventBus:
        return self._once("bus", arn, lambda: EventBus(self._client("events", arn), arn))

    def http_endpoint(self, url: str) -> HttpEndpoint:
        return self._once("http", url, lambda: HttpEndpoint(url))

    def topic_of_kafka(self, arn: str) -> KafkaTopic | Refusal:
        """The topic with this ARN, or why its brokers cannot be reached from here."""
        settings = self.kafka_settings(arn)
        if isinstance(settings, Refusal):
            return settings
        producer = self._once("kafka producer", settings["bootstrap.servers"], lambda: _producer(settings))
        topic = arn.rsplit("/", 1)[-1]
        return self._once("kafka", arn, lambda: KafkaTopic(producer, topic))

    def kafka_settings(self, topic_arn: str) -> dict[str, Any] | Refusal:
        """What a client of the topic's cluster needs, or why its brokers cannot be reached from here."""
        cluster = topic_arn.replace(":topic/", ":cluster/").rsplit("/", 1)[0]
        return self._once("kafka settings", cluster, lambda: self._find_brokers(cluster))

    def _find_brokers(self, cluster: str) -> dict[str, Any] | Refusal:
        name, region = cluster.split("/")[1], cluster.split(":")[3]
        try:
            answer = self._aws.client("kafka", region).get_bootstrap_brokers(ClusterArn=cluster)
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"looking for the brokers of {name}").message, failed=True)
        servers = str(answer.get("BootstrapBrokerStringSaslIam") or "")
        if not servers:
            return Refusal(f"the cluster {name} has no brokers with IAM authentication", failed=True)
        if not reachable(servers):
            return Refusal(f"the brokers of {name} answer in their own network only: run `ops` there", failed=True)
        return configuration(self._aws, servers, region)

    def api_destination(self, arn: str) -> ApiDestination | Refusal:
        """The API, or why it cannot be called from here."""
        return self._once("api", arn, lambda: self._open_api_destination(arn))

    def _open_api_destination(self, arn: str) -> ApiDestination | Refusal:
        name = arn.split("/")[1]
        try:
            region = arn.split(":")[3]
            events = self._aws.events(region)
            destination = events.describe_api_destination(Name=name)
            described: Any = events.describe_connection(Name=destination["ConnectionArn"].split("/")[1])
            if described.get("InvocationConnectivityParameters"):
                return Refusal(
                    f"the API destination {name} is private: only EventBridge reaches it; `ops replay-events` with the "
                    "rule sends its events again from an archive"
                )
            if (state := described.get("ConnectionState")) != "AUTHORIZED":
                return Refusal(f"the connection of the API destination {name} is {state}; mend it first", failed=True)
            secret = self._aws.client("secretsmanager", region).get_secret_value(SecretId=described["SecretArn"])
            connection = Connection(described, json.loads(secret["SecretString"]))
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"reading the API destination {name}").message, failed=True)
        return ApiDestination(
            name,
            destination["InvocationEndpoint"],
            destination["HttpMethod"],
            destination.get("InvocationRateLimitPerSecond") or _DEFAULT_PER_SECOND,
            connection,
            self._halt.wait,
        )

    def _client(self, service: str, arn: str) -> Any:
        return self._aws.client_without_retries(service, arn.split(":")[3])

    def _once(self, kind: str, place: str, make: Callable[[], D]) -> D:
        with self._lock:
            if (kind, place) not in self._known:
                self._known[kind, place] = make()
            made: D = self._known[kind, place]
            return made


def _producer(settings: dict[str, Any]) -> Any:
    from confluent_kafka import Producer

    producer = Producer(producer_settings(settings))
    producer.poll(0)  # which is when the token is fetched
    return producer


_DEFAULT_PER_SECOND = 300
"""EventBridge's own rate limit of an API destination without one."""
