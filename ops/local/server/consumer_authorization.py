"""Gap: with --auth, SubscribeToShard is authorised on the consumer that it names, as IAM does.

MiniStack looks for a stream in every Kinesis request, finds none in this one, and asks for permission on ``*``, which a
role with exact resources does not have (service authorization reference, "Actions defined by Amazon Kinesis Data
Streams").
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = ("core.iam_actions.extract_resource_arn", "core.iam_actions._safe_json_field")


def install(settings: ServerSettings) -> None:
    """Look for a consumer where no stream is named."""
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, *arguments: Any, **named: Any
    ) -> str:
        found = str(extract(service, method, path, headers, body, *arguments, **named))
        if service == "kinesis" and found == "*":
            return str(iam_actions._safe_json_field(body, "ConsumerARN") or found)
        return found

    iam_actions.extract_resource_arn = extract_resource_arn
