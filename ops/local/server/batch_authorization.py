"""Gap: with --auth, a batch call is authorised as the single action, as IAM does.

There is no ``sqs:DeleteMessageBatch`` in IAM: ``sqs:DeleteMessage`` covers both calls (service authorization reference,
"Actions defined by Amazon SQS", "Actions defined by Amazon SNS"). MiniStack asks for the call's own name and would
deny a role that AWS admits.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "authorised_action", "install"]

SEAMS = ("core.iam_actions.extract_iam_action",)

_AUTHORISED_AS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}


def authorised_action(action: str | None) -> str | None:
    """The action that IAM looks for when this call is made."""
    return _AUTHORISED_AS.get(action, action) if action else action


def install(settings: ServerSettings) -> None:
    """Translate what MiniStack extracts from a request."""
    extract = iam_actions.extract_iam_action

    def extract_iam_action(*arguments: Any, **named: Any) -> str | None:
        return authorised_action(extract(*arguments, **named))

    iam_actions.extract_iam_action = extract_iam_action
