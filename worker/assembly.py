"""What every source is put together from: the AWS session, its clients' configuration, the executor."""

from __future__ import annotations

import logging
import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from aws_transport import use_short_way
from contracts import environment as names
from worker.errors import SettingsError
from worker.execution import Executor, PlainExecutor
from worker.handler import Handler
from worker.idempotency import IdempotentExecutor, LeaseTable
from worker.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["client_config", "executor_for", "open_session"]

logger = logging.getLogger(__name__)

_USER_AGENT = f"eda-worker Botocore/{botocore.__version__} Python/{platform.python_version()}"


def open_session() -> boto3.session.Session:
    """The session of this process.

    Raises:
        SettingsError: no region is configured.
    """
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    # Fargate sets AWS_REGION, which boto3 does not read.
    session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None, botocore_session=core)
    if session.region_name is None:
        raise SettingsError(["AWS_REGION: not set; set it (or AWS_DEFAULT_REGION) to the source's region"])
    return session


def _timestamp(value: float | str) -> datetime:
    """Numbers as UTC at once: botocore's way over the local time zone is a third of the work of reading a stream."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else parse_timestamp(value)


def client_config(settings: Settings, *, read_timeout_seconds: float) -> Config:
    """Three attempts, and connections for every handler thread and the worker's own."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=read_timeout_seconds,
        max_pool_connections=settings.concurrency + 5,
        # A fifth of what a request costs: botocore puts its own user agent together anew, letter by letter, and
        # checks the types of arguments that mypy has checked.
        user_agent=_USER_AGENT,
        parameter_validation=False,
    )


def executor_for(settings: Settings, handler: Handler, session: boto3.session.Session) -> Executor:
    """Once per idempotency key where there is a table, else every copy."""
    if settings.idempotency_table is None:
        logger.warning("%s is not set: every copy of an event is handled", names.IDEMPOTENCY_TABLE)
        return PlainExecutor(handler)
    client: DynamoDBClient = session.client("dynamodb", config=client_config(settings, read_timeout_seconds=5))
    return IdempotentExecutor(
        handler,
        LeaseTable(settings.idempotency_table, use_short_way(client, session)),
        prefix=settings.pattern,
        expires_seconds=settings.idempotency_expires_seconds,
    )
