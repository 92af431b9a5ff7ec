"""One topic has one policy document, however many services publish to it; written last, like that of a queue."""

from __future__ import annotations

from typing import Any

import pulumi

from components.core.errors import PolicyWrittenError
from components.core.iam import Statement, policy_document

__all__ = ["TopicPolicyBuilder"]


class TopicPolicyBuilder:
    """Collects which services may publish; `document` is the finished policy.

    The document always denies publishing without TLS. A service gets one statement with the list of its source ARNs.
    """

    def __init__(self, topic_arn: pulumi.Input[str], where: str) -> None:
        self._topic_arn = topic_arn
        self._where = where
        self._sources: dict[str, list[pulumi.Input[str]]] = {}
        self._written = False

    def allow_service(self, service: str, source_arn: pulumi.Input[str]) -> None:
        """Let `service` publish on behalf of the resource with this ARN.

        Raises:
            PolicyWrittenError: the document has been evaluated; connect sources before any blocking call.
        """
        if self._written:
            raise PolicyWrittenError(
                f"{self._where}: its policy was written before {service} registered; connect all sources before the "
                "program makes a blocking call (use the *_output form of provider functions)"
            )
        self._sources.setdefault(service, []).append(source_arn)

    def document(self) -> pulumi.Output[str]:
        """The policy's JSON text."""

        async def collect() -> Any:
            self._written = True
            return policy_document(self._statements())

        text: pulumi.Output[str] = pulumi.Output.from_input(collect())
        return text

    def _statements(self) -> list[Statement]:
        statements = [
            Statement(
                sid="DenyWithoutTls",
                effect="Deny",
                principals="*",
                actions=["sns:Publish"],
                resources=[self._topic_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        ]
        for service, arns in self._sources.items():
            statements.append(
                Statement(
                    sid="Allow" + service.split(".")[0].title().replace("-", ""),
                    principals={"Service": service},
                    actions=["sns:Publish"],
                    resources=[self._topic_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": arns if len(arns) > 1 else arns[0]}},
                )
            )
        return statements
