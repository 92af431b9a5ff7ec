"""One queue has one policy document, however many sources send to it.

Two QueuePolicy resources on one queue overwrite each other, so sources register here and the document is made once:
its text is an Output that Pulumi evaluates after the program's last line has run, when every source is known.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi

from components.core.errors import PolicyError, PolicyWrittenError
from components.core.iam import Statement, policy_document

__all__ = ["MAX_BYTES", "MAX_STATEMENTS", "QueuePolicyBuilder"]

MAX_BYTES = 8192
MAX_STATEMENTS = 20

# SQS allows seven actions in a statement (SQS quotas, "Policies"); these move or reveal messages, or open the queue.
_TLS_ONLY = (
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:PurgeQueue",
    "sqs:GetQueueAttributes",
    "sqs:SetQueueAttributes",
)


class QueuePolicyBuilder:
    """Collects who may send to a queue; `document` is the finished policy.

    The document always denies requests without TLS. A service gets one statement with the list of its source ARNs, so
    that many rules or topics fit into the 8 KB and 20 statements that SQS allows.
    """

    def __init__(self, queue_arn: pulumi.Input[str], where: str) -> None:
        self._queue_arn = queue_arn
        self._where = where
        self._sources: dict[str, list[pulumi.Input[str]]] = {}
        self._written = False

    def allow_service(self, service: str, source_arn: pulumi.Input[str]) -> None:
        """Let `service` (e.g. ``events.amazonaws.com``) send on behalf of the resource with this ARN.

        Raises:
            PolicyWrittenError: Pulumi evaluates documents when the program first waits for a value, normally at its
                end; register sources before a blocking call such as ``aws.get_region()`` (use ``get_region_output``).
        """
        if self._written:
            raise PolicyWrittenError(
                f"{self._where}: its policy was written before {service} registered; connect all sources before the "
                "program makes a blocking call (use the *_output form of provider functions)"
            )
        self._sources.setdefault(service, []).append(source_arn)

    def document(self) -> pulumi.Output[str]:
        """The policy's JSON text. Raises PolicyError, when the values are known, if SQS would refuse it."""

        async def collect() -> Any:
            self._written = True
            return policy_document(self._statements())

        text: pulumi.Output[str] = pulumi.Output.from_input(collect())
        return text.apply(self._checked)

    def _statements(self) -> list[Statement]:
        statements = [
            Statement(
                sid="DenyWithoutTls",
                effect="Deny",
                principals="*",
                actions=_TLS_ONLY,
                resources=[self._queue_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        ]
        for service, arns in self._sources.items():
            statements.append(
                Statement(
                    sid="Allow" + service.split(".")[0].title().replace("-", ""),
                    principals={"Service": service},
                    actions=["sqs:SendMessage"],
                    resources=[self._queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": arns if len(arns) > 1 else arns[0]}},
                )
            )
        return statements

    def _checked(self, text: str) -> str:
        count, size = len(json.loads(text)["Statement"]), len(text.encode())
        if count > MAX_STATEMENTS or size > MAX_BYTES:
            raise PolicyError(
                f"{self._where}: its policy has {count} statements and {size:,} bytes; SQS allows {MAX_STATEMENTS} and "
                f"{MAX_BYTES:,}. Connect fewer sources, or put a topic or a bus in between"
            )
        return text
