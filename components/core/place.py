"""Where a program deploys: partition, region and account, asked for once and not by each resource that needs them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from weakref import WeakKeyDictionary

import pulumi
import pulumi_aws as aws
from pulumi.runtime.settings import get_monitor

__all__ = ["Place", "place_of"]


class Place(NamedTuple):
    """As an ARN has it.

    Attributes:
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
        region: e.g. ``ap-southeast-2``.
        account_id: twelve digits.
    """

    partition: pulumi.Output[str]
    region: pulumi.Output[str]
    account_id: pulumi.Output[str]

    def arn(self, service: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """The ARN of a resource that need not be there yet, e.g. ``arn("events", "rule/nightly")``."""
        return pulumi.Output.concat(
            "arn:", self.partition, f":{service}:", self.region, ":", self.account_id, ":", resource
        )


_asked: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[object, ...], Place]] = WeakKeyDictionary()


def place_of(owner: pulumi.Resource) -> Place:
    """The place of the provider that `owner` gives to its children.

    A hundred workers would ask two hundred times for the account alone, and each question is a request to AWS.
    """
    # A program has one engine and one loop. Unit tests have many of both, and an answer is for those it came from.
    places = _asked.setdefault(asyncio.get_event_loop(), {})
    key = get_monitor(), owner.get_provider("aws:index/getRegion:getRegion")
    if key not in places:
        places[key] = _ask(owner)
    return places[key]


def _ask(owner: pulumi.Resource) -> Place:
    options = pulumi.InvokeOutputOptions(parent=owner)
    return Place(
        aws.get_partition_output(opts=options).partition,
        aws.get_region_output(opts=options).region,
        aws.get_caller_identity_output(opts=options).account_id,
    )
