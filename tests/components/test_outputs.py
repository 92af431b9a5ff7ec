from __future__ import annotations

import asyncio
import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.outputs import json_text, resolved
from tests.recorder import record

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DOCUMENTS = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def with_outputs(document: Any, draw: Any) -> Any:
    """The same document, with an Output, or an awaitable, in some places."""
    match draw(st.sampled_from(["as-it-is", "as-it-is", "output", "awaitable"])):
        case "output":
            return pulumi.Output.from_input(document)
        case "awaitable":
            return asyncio.sleep(0, document)
    if isinstance(document, dict):
        return {key: with_outputs(value, draw) for key, value in document.items()}
    if isinstance(document, list):
        return [with_outputs(value, draw) for value in document]
    return document


@settings(max_examples=30, deadline=None)
@given(DOCUMENTS, st.data())
def test_a_document_comes_out_as_it_would_be_without_outputs(document: Any, data: st.DataObject):
    found: list[Any] = []

    def program() -> None:
        mixed = with_outputs(document, data.draw)
        resolved({"it": mixed}).apply(lambda known: found.append(known["it"]))

    record(program)
    assert found == [document]


def test_tuples_are_lists_and_texts_are_jsons():
    found: list[str] = []
    record(lambda: json_text({"a": (1, pulumi.Output.from_input("é"))}).apply(found.append))
    record(lambda: json_text({"a": [1]}, compact=True).apply(found.append))
    record(lambda: json_text({"a": 1}, indent=2).apply(found.append))
    assert found == [json.dumps({"a": [1, "é"]}), '{"a":[1]}', '{\n  "a": 1\n}']


@pytest.mark.parametrize("preview", [False, True])
def test_a_secret_stays_one_and_what_is_unknown_stays_so(preview: bool):
    kept: dict[str, Any] = {}

    def program() -> None:
        queue = aws.sqs.Queue("orders")
        for name, leaf in {"secret": pulumi.Output.secret("s"), "arn": queue.arn, "plain": "p"}.items():
            text = json_text({"leaf": [leaf]})
            kept[name] = text.is_secret(), text.is_known()

    async def look() -> dict[str, tuple[bool, bool]]:
        return {name: (await secret, await known) for name, (secret, known) in kept.items()}

    seen: dict[str, tuple[bool, bool]] = {}

    def both() -> None:
        program()
        looked: pulumi.Output[Any] = pulumi.Output.from_input(look())
        looked.apply(seen.update)

    record(both, preview=preview)
    assert seen == {"secret": (True, True), "arn": (False, not preview), "plain": (False, True)}
