from __future__ import annotations

from collections import Counter
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.runtime.mocks import MockCallArgs

from components.core.place import place_of
from tests.recorder import ACCOUNT, REGION, Recorder, record

QUESTIONS = ("getCallerIdentity", "getPartition", "getRegion")


class Part(pulumi.ComponentResource):
    """A component that only wants to know where it is."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:Part", name, None, opts)
        arn = place_of(self).arn("events", "rule/nightly")
        aws.ssm.Parameter(name, type="String", value=arn, opts=pulumi.ResourceOptions(parent=self))


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each question was asked."""
    asked: Counter[str] = Counter()
    answer = Recorder.call

    def count(self: Recorder, args: MockCallArgs) -> Any:
        asked[args.token.rpartition(":")[2]] += 1
        return answer(self, args)

    monkeypatch.setattr(Recorder, "call", count)
    return asked


@pytest.mark.parametrize("preview", [False, True])
def test_a_program_asks_once_where_it_is(questions: Counter[str], preview: bool):
    recorder = record(lambda: [Part(f"part-{number}") for number in range(20)], preview=preview)
    values = {resource.inputs["value"] for resource in recorder.resources if resource.custom}
    assert values == {f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"}
    assert questions == dict.fromkeys(QUESTIONS, 1)


def test_the_next_program_asks_for_itself(questions: Counter[str]):
    record(lambda: Part("part"))
    record(lambda: Part("part"))
    assert questions == dict.fromkeys(QUESTIONS, 2)


def test_each_provider_is_asked(questions: Counter[str]):
    def program() -> None:
        elsewhere = aws.Provider("elsewhere", region="us-west-2")
        for number in range(3):
            Part(f"here-{number}")
            Part(f"there-{number}", pulumi.ResourceOptions(providers={"aws": elsewhere}))

    record(program)
    assert questions == dict.fromkeys(QUESTIONS, 2)
