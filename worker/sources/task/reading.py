"""The one event of a standalone task, from its environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from contracts import environment as names
from contracts.errors import EventError
from contracts.events import Event
from contracts.task_events import assembled
from worker.errors import SettingsError
from worker.workflow.reading import read_step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["UnreadableError", "read_event", "read_object"]


class UnreadableError(Exception):
    """The event is referred to and cannot be read; whoever starts the task again may write it again."""


def read_event(environment: Mapping[str, str], fetch: Callable[[str, str], str]) -> Event:
    """The event that the variables hold, refer to, or are parts of.

    Args:
        environment: of the container.
        fetch: bucket and key → the text of an object.

    Raises:
        SettingsError: none of the variables is set, or one is malformed.
        EventError: what they hold is not an event.
        UnreadableError: what they refer to cannot be read.
    """
    if text := environment.get(names.EVENT):
        return Event.from_json(text)
    if reference := environment.get(names.EVENT_REFERENCE):
        place = urlsplit(reference)
        if place.scheme != "s3" or not place.netloc or not place.path.strip("/"):
            raise SettingsError([f"{names.EVENT_REFERENCE}: {reference!r} is not a place; allowed: s3://bucket/key"])
        return Event.from_json(fetch(place.netloc, reference.split("/", 3)[3]))
    if paths := environment.get(names.EVENT_PATHS):
        return Event.from_envelope(assembled(_fields(paths), environment))
    if environment.get(names.STEP_INPUT):
        return read_step(environment).event()
    allowed = f"{names.EVENT}, {names.EVENT_REFERENCE}, {names.EVENT_PATHS} or {names.STEP_INPUT}"
    raise SettingsError([f"{names.EVENT}: not set; a task gets its event in one of {allowed}"])


def _fields(text: str) -> dict[str, str]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(path, str) for path in fields.values()):
        raise SettingsError([f'{names.EVENT_PATHS}: {text!r:.80} is malformed; allowed: {{"KEY": "$.detail.key"}}'])
    return fields


def read_object(client: S3Client) -> Callable[[str, str], str]:
    """How `read_event` fetches an event by reference."""

    def fetch(bucket: str, key: str) -> str:
        place = f"s3://{bucket}/{key}"
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            return body.decode()
        except UnicodeDecodeError as error:
            raise EventError(f"{names.EVENT_REFERENCE}: {place} is no text: {error}") from error
        except ClientError as error:
            raise UnreadableError(f"{names.EVENT_REFERENCE}: {_explained(error, place)}") from error
        except BotoCoreError as error:
            raise UnreadableError(f"{names.EVENT_REFERENCE}: {place} cannot be read: {error}") from error

    return fetch


def _explained(error: ClientError, place: str) -> str:
    code = error.response["Error"]["Code"]
    if code == "NoSuchKey":
        return f"there is no object {place}: it has expired or was deleted"
    if code == "AccessDenied":
        return f"{place} is not there, or the task's role may not read it: {error}"
    return f"{place} cannot be read: {error}"
