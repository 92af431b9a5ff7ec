"""One queue or topic has one policy document, however many services send to it.

Two policy resources on one queue or topic overwrite each other, so sources register here and the document is made once:
its text is an Output that Pulumi evaluates after the program's last line has run, when every source is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.core.errors import PolicyError, PolicyWrittenError
from components.core.iam import Statement, policy_document

__all__ = ["QUEUE_POLICY", "TOPIC_POLICY", "PolicyKind", "ResourcePolicyBuilder"]


@dataclass(frozen=True, kw_only=True)
class PolicyKind:
    """What a service's resource policies look like.

    Attributes:
        service: whose, in errors.
        send: the action that a source gets.
        tls_only: the actions that nobody may call without TLS.
        max_bytes, max_statements: what the service takes.
        remedy: what to do about a policy that is too large.
    """

    service: str
    send: str
    tls_only: Sequence[str]
    max_bytes: int
    max_statements: int
    remedy: str


QUEUE_POLICY = PolicyKind(
    service="SQS",
    send="sqs:SendMessage",
    # SQS takes seven actions in a statement (SQS quotas, "Policies"): these move or reveal messages, or open the queue.
    tls_only=(
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:PurgeQueue",
        "sqs:GetQueueAttributes",
        "sqs:SetQueueAttributes",
    ),
    max_bytes=8192,
    max_statements=20,
    remedy="Connect fewer sources, or put a topic or a bus in between",
)

# SNS developer guide, "Amazon SNS API permissions", "Policy quotas".
TOPIC_POLICY = PolicyKind(
    service="SNS",
    send="sns:Publish",
    tls_only=("sns:Publish",),
    max_bytes=30 * 1024,
    max_statements=100,
    remedy="Connect fewer sources, or put a bus in between",
)


class ResourcePolicyBuilder:
    """Collects who may send to a queue or a topic; `document` is the finished policy.

    The document always denies requests without TLS. A service gets one statement with the list of its source ARNs, so
    that many rules or topics fit into what the service allows.
    """

    def __init__(self, kind: PolicyKind, resource_arn: pulumi.Input[str], where: str) -> None:
        self._kind = kind
        self._resource_arn = resource_arn
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
        """The policy's JSON text. Raises PolicyError, when the values are known, if the service would refuse it."""

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
                actions=self._kind.tls_only,
                resources=[self._resource_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        ]
        for service, arns in self._sources.items():
            statements.append(
                Statement(
                    sid="Allow" + service.split(".")[0].title().replace("-", ""),
                    principals={"Service": service},
                    actions=[self._kind.send],
                    resources=[self._resource_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": arns if len(arns) > 1 else arns[0]}},
                )
            )
        return statements

    def _checked(self, text: str) -> str:
        kind = self._kind
        count, size = len(json.loads(text)["Statement"]), len(text.encode())
        if count > kind.max_statements or size > kind.max_bytes:
            raise PolicyError(
                f"{self._where}: its policy has {count} statements and {size:,} bytes; {kind.service} allows "
                f"{kind.max_statements} and {kind.max_bytes:,}. {kind.remedy}"
            )
        return text
