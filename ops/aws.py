"""One session, and its clients, for a command. boto3 is imported when the first client is made."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["Aws"]

_CONNECTIONS = 64
_ATTEMPTS = 4
_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30


class Aws:
    """Clients of one profile, region and endpoint, made on first use and shared between threads.

    Args:
        region: region name; None takes it from the profile or AWS_DEFAULT_REGION.
        endpoint_url: another endpoint for every service; None takes AWS_ENDPOINT_URL (boto3 reads it), or AWS itself.
        profile: profile name; None takes AWS_PROFILE or the default credentials.
        connections: size of each client's connection pool, 1 or more; default 64.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        connections: int = _CONNECTIONS,
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._profile = profile
        self._connections = connections
        self._session: Session | None = None
        self._clients: dict[tuple[str, str | None, int, bool], Any] = {}
        self._lock = threading.Lock()

    def sqs(self, region: str | None = None) -> SQSClient:
        """A client with botocore's `standard` retries, which also retry SQS's RequestThrottled on HTTP 400."""
        return cast("SQSClient", self.client("sqs", region))

    def sqs_without_retries(self, region: str | None = None) -> SQSClient:
        """A lean client that fails at the first error, for a caller that must know how often it tried.

        It sends what it is given: `parameter_validation` is off, the user agent is not built anew for each request,
        nobody listens to botocore's events, and each thread has a connection of its own (`aws_transport`). Without all
        that a batch of 10 takes two and a half times the processor time.
        """
        return cast("SQSClient", self.client("sqs", region, attempts=1, lean=True))

    def ssm(self) -> SSMClient:
        return cast("SSMClient", self.client("ssm"))

    def events(self, region: str | None = None) -> EventBridgeClient:
        return cast("EventBridgeClient", self.client("events", region))

    def ecs(self) -> ECSClient:
        return cast("ECSClient", self.client("ecs"))

    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self.client("dynamodb"))

    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self.client("cloudwatch"))

    def kinesis(self) -> KinesisClient:
        return cast("KinesisClient", self.client("kinesis"))

    def stepfunctions(self) -> SFNClient:
        return cast("SFNClient", self.client("stepfunctions"))

    def autoscaling(self) -> ApplicationAutoScalingClient:
        return cast("ApplicationAutoScalingClient", self.client("application-autoscaling"))

    def session(self) -> Session:
        """The session itself, for a library that wants its credentials."""
        with self._lock:
            return self._make_session()

    def client_without_retries(self, service: str, region: str | None = None) -> Any:
        """A client that fails at the first error, for a caller that must know how often it tried."""
        return self.client(service, region, attempts=1)

    def client(self, service: str, region: str | None = None, *, attempts: int = _ATTEMPTS, lean: bool = False) -> Any:
        """The client of a service, in another region than the session's if one is given."""
        from botocore.config import Config

        key = (service, region, attempts, lean)
        with self._lock:
            if key not in self._clients:
                session = self._make_session()
                retries: Any = {"mode": "standard", "total_max_attempts": attempts}
                self._clients[key] = session.client(  # type: ignore[call-overload]
                    service,
                    region_name=region or self._region,
                    endpoint_url=self._endpoint_url,
                    config=Config(
                        retries=retries,
                        max_pool_connections=self._connections,
                        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                        read_timeout=_READ_TIMEOUT_SECONDS,
                        **(_lean() if lean else {"user_agent_extra": "eda-ops"}),
                    ),
                )
                if lean:
                    from aws_transport import use_bare_calls

                    use_bare_calls(self._clients[key], session)
            return self._clients[key]

    def _make_session(self) -> Session:
        if self._session is None:
            import boto3.session

            self._session = boto3.session.Session(profile_name=self._profile, region_name=self._region)
        return self._session


def _lean() -> dict[str, Any]:
    import boto3
    import botocore

    agent = f"Boto3/{boto3.__version__} Botocore/{botocore.__version__} eda-ops"
    return {"user_agent": agent, "parameter_validation": False}
