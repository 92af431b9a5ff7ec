from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import contracts
from contracts.errors import ManifestError
from contracts.jobs import JobState
from contracts.manifest import (
    BusRef,
    DeadLetterQueueRef,
    Holds,
    PatternManifest,
    QueueRef,
    RuleRef,
    ScalingRef,
    ServiceRef,
    parameter_name,
)
from contracts.messages import Failure

text = st.text(max_size=30)
MANIFESTS = st.builds(
    PatternManifest,
    name=text,
    pattern=text,
    stack=text,
    region=text,
    bus=st.none() | st.builds(BusRef),
    rules=st.lists(st.builds(RuleRef)).map(tuple),
    queue=st.none() | st.builds(QueueRef),
    dead_letter_queues=st.lists(st.builds(DeadLetterQueueRef, holds=st.sampled_from(Holds))).map(tuple),
    service=st.none() | st.builds(ServiceRef),
    scaling=st.none() | st.builds(ScalingRef, acceptable_latency_seconds=st.none() | st.floats(0, 1e6)),
    idempotency_table=st.none() | text,
    alarms=st.lists(text).map(tuple),
)


@given(MANIFESTS)
def test_a_manifest_survives_publishing(manifest: PatternManifest):
    assert PatternManifest.from_json(manifest.to_json()) == manifest


def test_fields_of_a_newer_program_are_ignored():
    document = json.loads(PatternManifest(name="orders", pattern="p", stack="dev", region="r").to_json())
    assert PatternManifest.from_json(json.dumps({**document, "new": 1})).name == "orders"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "manifest: version 2, but this ops reads version 1; upgrade ops"),
        ({"name": None}, "manifest.name: expected str, got None"),
        ({"queue": {"name": "q", "url": "u"}}, "manifest.queue.arn: missing"),
        ({"queue": []}, "manifest.queue: expected an object, got []"),
        ({"rules": {}}, "manifest.rules: expected a list, got {}"),
        ({"scaling": {"policy": "p", "min": "0", "max": 1}}, "manifest.scaling.min: expected int, got '0'"),
        ({"scaling": {"policy": "p", "min": True, "max": 1}}, "manifest.scaling.min: expected int, got True"),
        (
            {"dead_letter_queues": [{"name": "n", "url": "u", "arn": "a", "holds": "x"}]},
            f"manifest.dead_letter_queues[0].holds: 'x' is not one of {', '.join(Holds)}",
        ),
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_read_says_where(change: dict[str, object], message: str):
    document = json.loads(PatternManifest(name="orders", pattern="p", stack="dev", region="r").to_json())
    with pytest.raises(ManifestError) as caught:
        PatternManifest.from_json(json.dumps({**document, **change}))
    assert str(caught.value) == message


def test_text_that_is_no_json_is_no_manifest():
    with pytest.raises(ManifestError, match="not JSON"):
        PatternManifest.from_json("{")


def test_parameters_are_named_by_stack_and_pattern():
    assert parameter_name("dev", "orders") == "/eda/dev/patterns/orders"


@given(st.builds(Failure, message=st.text(max_size=1000)))
def test_a_failure_survives_the_attribute(failure: Failure):
    assert Failure.from_json(failure.to_json()) == failure


@pytest.mark.parametrize("value", ["", "x", "[]", "{}", '{"error": 1}'])
def test_an_attribute_of_somebody_else_is_no_failure(value: str):
    assert Failure.from_json(value) is None


def test_the_last_three_job_states_are_final():
    assert [state for state in JobState if state.final] == [JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED]


def test_contracts_needs_the_standard_library_only():
    allowed = set(sys.stdlib_module_names) | {"contracts"}
    for module in Path(contracts.__path__[0]).glob("**/*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert {name.split(".")[0] for name in names} <= allowed, module
