"""The input of a target: as the EventBridge user guide's examples, and laws that hold for any event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.actions.replay.input_transformer import TransformError, target_input

_RULE = "arn:aws:events:us-east-1:123456789012:rule/bus/example"
_EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "time": "2015-11-11T21:29:54Z",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "tags": {"a": 1}, "sizes": [1, 2], "count": 3},
}
_PATHS = {
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "tags": "$.detail.tags",
    "count": "$.detail.count",
    "first": "$.resources[0]",
    "missing": "$.detail.nothing",
}


def _transform(template: str, paths: dict[str, str] | None = None, event: dict[str, Any] | None = None) -> str:
    transformer = {"InputPathsMap": _PATHS if paths is None else paths, "InputTemplate": template}
    return target_input({"InputTransformer": transformer}, event or _EVENT, _RULE)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
        ('{"instance": <instance>, "state": "<state>"}', '{"instance": "i-0123456789", "state": "RUNNING"}'),
        ('{"n": <count>, "text": "n=<count>"}', '{"n": 3, "text": "n=3"}'),
        ('{"tags": <tags>}', '{"tags": {"a":1}}'),
        ('{"text": "tags <tags>"}', '{"text": "tags {a:1}"}'),
        ('{"first": <first>}', '{"first": "arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"}'),
        ('{"gone": <missing>, "quoted": "[<missing>]"}', '{"gone": "", "quoted": "[]"}'),
        (
            '{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>"}',
            f'{{"rule": "example", "arn": "{_RULE}"}}',
        ),
        ('{"at": <aws.events.event.ingestion-time>}', '{"at": "2015-11-11T21:29:54Z"}'),
        ("plain <state> text", "plain RUNNING text"),
        ('{"kept": "<unheard-of>"}', '{"kept": "<unheard-of>"}'),
    ],
)
def test_templates_render_as_documented(template: str, expected: str) -> None:
    assert _transform(template) == expected


def test_the_whole_event_can_be_embedded_with_and_without_its_detail() -> None:
    both = json.loads(_transform('{"all": <aws.events.event.json>, "envelope": <aws.events.event>}'))

    assert both["all"] == _EVENT
    assert both["envelope"] == {name: value for name, value in _EVENT.items() if name != "detail"}


def test_input_and_input_path_and_nothing() -> None:
    assert target_input({"Input": '{"fixed": 1}'}, _EVENT, _RULE) == '{"fixed": 1}'
    assert json.loads(target_input({"InputPath": "$.detail"}, _EVENT, _RULE)) == _EVENT["detail"]
    assert json.loads(target_input({"InputPath": "$.nowhere"}, _EVENT, _RULE)) == _EVENT
    assert json.loads(target_input({}, _EVENT, _RULE)) == _EVENT


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", _EVENT),
        ("$.detail.sizes[*]", [1, 2]),
        ("$.detail.tags.*", [1]),
        ("$.detail['instance-id']", "i-0123456789"),
        ("$.detail.sizes[1]", 2),
        ("$.detail.sizes[7]", ""),
        ("$.detail.state.deeper", ""),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    assert json.loads(_transform('{"v": <v>}', {"v": path}))["v"] == expected


@pytest.mark.parametrize("path", ["detail", "$detail", "$.detail[", "$..detail"])
def test_a_path_that_cannot_be_read_is_refused_and_named(path: str) -> None:
    with pytest.raises(TransformError, match=r"\$|detail"):
        _transform('{"v": <v>}', {"v": path})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_in_the_position_of_a_value_any_value_arrives_unchanged(value: Any) -> None:
    event = {**_EVENT, "detail": {"v": value}}

    assert json.loads(_transform('{"v": <v>}', {"v": "$.detail.v"}, event)) == {"v": value}


@given(st.text())
def test_in_a_string_any_text_arrives_unchanged(text: str) -> None:
    event = {**_EVENT, "detail": {"v": text}}

    assert json.loads(_transform('{"v": "[<v>]"}', {"v": "$.detail.v"}, event)) == {"v": f"[{text}]"}


@given(_JSON)
def test_whatever_the_value_a_json_template_stays_json(value: Any) -> None:
    event = {**_EVENT, "detail": {"v": value}}

    json.loads(_transform('{"a": <v>, "b": "x<v>y"}', {"v": "$.detail.v"}, event))
