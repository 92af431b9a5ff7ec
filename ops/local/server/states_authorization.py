"""Gap: with --auth, the report of a task is authorised on the state machine, or the activity, that waits for it.

The request has nothing but a token, so MiniStack asks for permission on ``*``. Step Functions names the state machine
or the activity when it denies such a call.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

from ops.local.server.settings import ServerSettings
from ops.local.server.states_tokens import owner_of

__all__ = ["SEAMS", "install"]

SEAMS = ("core.iam_actions._safe_json_field", "core.iam_actions.extract_resource_arn")


def install(settings: ServerSettings) -> None:
    """Look for a token where nothing else is named."""
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, *arguments: Any, **named: Any
    ) -> str:
        found = str(extract(service, method, path, headers, body, *arguments, **named))
        if service == "states" and found == "*":
            return owner_of(str(iam_actions._safe_json_field(body, "taskToken"))) or found
        return found

    iam_actions.extract_resource_arn = extract_resource_arn
