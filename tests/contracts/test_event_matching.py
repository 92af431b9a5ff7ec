from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import event_pattern
from contracts.event_matching import explain, matches
from tests.emulator import Account

ENVELOPE = {
    "version": "0",
    "id": "0001",
    "source": "com.flix",
    "detail-type": "ChannelCreated",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "ap-southeast-2",
    "resources": [],
}


def event(data: Any) -> dict[str, Any]:
    return {**ENVELOPE, "detail": {"data": data}}


def data_matches(pattern: dict[str, Any], data: Any) -> bool:
    return matches({"detail": {"data": pattern}}, event(data))


@pytest.mark.parametrize(
    ("entry", "yes", "no"),
    [
        ("AU", ["AU", ["NZ", "AU"]], ["au", 1, None, [], {"AU": 1}]),
        (1, [1, 1.0, [2, 1]], ["1", True]),
        (True, [True], [1, "true", False]),
        (None, [None, [1, None]], ["", 0, "null"]),
        ({"prefix": "ab"}, ["ab", "abc"], ["xab", "AB", 1]),
        ({"prefix": {"equals-ignore-case": "AB"}}, ["abc", "aBc"], ["xab"]),
        ({"suffix": ".jpg"}, ["a.jpg"], ["a.JPG", ".jpgx"]),
        ({"suffix": {"equals-ignore-case": ".JPG"}}, ["a.jpG"], [".jpgx"]),
        ({"equals-ignore-case": "Au"}, ["AU", "au"], ["aus"]),
        ({"anything-but": "AU"}, ["NZ", 1, None, ["AU", "NZ"]], ["AU", [], {"x": 1}]),
        ({"anything-but": [1, 2]}, [3, "1", [1, 3]], [1, 2.0]),
        ({"anything-but": {"prefix": "a"}}, ["b", 1], ["ab"]),
        ({"anything-but": {"wildcard": "*/x/*"}}, ["a/y/b"], ["a/x/b"]),
        ({"anything-but": {"suffix": ["a", "b"]}}, ["xc"], ["xa", "xb"]),
        ({"numeric": [">", 0, "<=", 5]}, [1, 5, 0.5], [0, 5.1, "1", True]),
        ({"numeric": ["=", 3]}, [3, 3.0], [4]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.7"], ["10.0.1.7", "ten", 167772161, "::1"]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ({"wildcard": "a*b*c"}, ["abc", "axxbxxc", "abbc"], ["ab", "abcx"]),
        ({"wildcard": "a*a"}, ["aa", "axa"], ["a"]),
        ({"wildcard": "a\\*b"}, ["a*b"], ["axb"]),
        ({"wildcard": "a\\\\*"}, ["a\\", "a\\x"], ["ax"]),
        ({"exists": True}, [1, None, "", [0]], [[], {}, {"x": 1}]),
    ],
    ids=str,
)
def test_every_operator(entry: Any, yes: list[Any], no: list[Any]):
    assert event_pattern.problems({"detail": {"data": {"x": [entry]}}}) == []
    assert [value for value in yes if not data_matches({"x": [entry]}, {"x": value})] == []
    assert [value for value in no if data_matches({"x": [entry]}, {"x": value})] == []


def test_absence_is_the_absence_of_a_leaf():
    absent = {"x": [{"exists": False}]}
    assert data_matches(absent, {})
    assert data_matches(absent, {"x": {"y": 1}})
    assert data_matches({"a": {"b": [{"exists": False}]}}, {})
    assert not data_matches(absent, {"x": None})


def test_fields_below_one_list_are_matched_by_one_element():
    pattern = {"items": {"kind": ["pizza"], "size": [{"numeric": [">", 30]}]}}
    assert data_matches(pattern, {"items": [{"kind": "pasta", "size": 40}, {"kind": "pizza", "size": 31}]})
    assert not data_matches(pattern, {"items": [{"kind": "pasta", "size": 40}, {"kind": "pizza", "size": 20}]})


def test_fields_are_joined_by_and_alternatives_by_or():
    pattern = {"a": [1, 2], "$or": [{"b": ["x"]}, {"c": {"d": [{"exists": True}]}}]}
    assert data_matches(pattern, {"a": 2, "b": "x"})
    assert data_matches(pattern, {"a": 1, "c": {"d": 0}})
    assert not data_matches(pattern, {"a": 1})
    assert not data_matches(pattern, {"a": 3, "b": "x"})


def test_the_explanation_names_every_field_and_what_was_found():
    pattern = {"source": ["com.flix"], "detail": {"data": {"region": ["AU", "NZ"], "city": [{"exists": True}]}}}
    explanation = explain(pattern, event({"region": ["US", "CA"]}))
    assert not explanation.matches
    assert [(item.path, item.expected, item.found, item.matches) for item in explanation.fields] == [
        ("source", ("com.flix",), ("com.flix",), True),
        ("detail.data.region", ("AU", "NZ"), ("US", "CA"), False),
        ("detail.data.city", ({"exists": True},), (), False),
    ]
    assert [item.path for item in explanation.failures] == ["detail.data.region", "detail.data.city"]


def test_of_a_failed_or_every_alternative_is_explained_and_of_a_matched_one_that_alternative():
    pattern = {"detail": {"data": {"$or": [{"a": [1]}, {"b": [2]}]}}}
    failed = explain(pattern, event({"a": 0}))
    assert [(item.path, item.alternative) for item in failed.fields] == [("detail.data.a", 1), ("detail.data.b", 2)]
    assert [item.path for item in explain(pattern, event({"b": 2})).fields] == ["detail.data.b"]


def test_of_a_list_of_objects_the_best_element_is_explained():
    pattern = {"detail": {"data": {"items": {"kind": ["pizza"], "size": [30]}}}}
    explanation = explain(pattern, event({"items": [{"kind": "pasta", "size": 1}, {"kind": "pizza", "size": 2}]}))
    assert [(item.path, item.found) for item in explanation.failures] == [("detail.data.items.size", (2,))]


texts = st.sampled_from(["", "a", "ab", "A", "aB", "abc", "b/c", "x*y", "10.0.0.1", "10.0.1.9", "\\", "ß", "SS"])
numbers = st.sampled_from([-1, 0, 0.5, 1, 2, 3.0, 1000])
scalars = texts | numbers | st.booleans() | st.none()
names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)
words = texts.filter(bool)
globs = st.sampled_from(["*", "a*", "*b", "a*c", "*b*", "x\\*y", "a\\\\*", "ab", "*.0.*"])
operators = st.one_of(
    st.builds(lambda text: {"prefix": text}, words),
    st.builds(lambda text: {"suffix": text}, words),
    st.builds(lambda text: {"prefix": {"equals-ignore-case": text}}, words),
    st.builds(lambda text: {"suffix": {"equals-ignore-case": text}}, words),
    st.builds(lambda text: {"equals-ignore-case": text}, words),
    st.builds(lambda value: {"exists": value}, st.booleans()),
    st.builds(lambda value: {"anything-but": value}, words | numbers),
    st.builds(lambda value: {"anything-but": value}, st.lists(words, min_size=1, max_size=3)),
    st.builds(lambda value: {"anything-but": value}, st.lists(numbers, min_size=1, max_size=3)),
    st.builds(
        lambda name, text: {"anything-but": {name: text}},
        st.sampled_from(["prefix", "suffix", "equals-ignore-case"]),
        words,
    ),
    st.builds(lambda text: {"anything-but": {"wildcard": text}}, globs),
    st.builds(lambda text: {"wildcard": text}, globs),
    st.builds(lambda sign, number: {"numeric": [sign, number]}, st.sampled_from(["<", "<=", "=", ">", ">="]), numbers),
    st.builds(
        lambda low, width: {"numeric": [">", low, "<=", low + width]}, numbers, st.integers(min_value=1, max_value=3)
    ),
    st.builds(lambda text: {"cidr": text}, st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "::/0"])),
)
leaf_patterns = st.lists(scalars | operators, min_size=1, max_size=3)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    plain = st.dictionaries(names, inner, min_size=1, max_size=2)
    choice = st.lists(plain, min_size=2, max_size=3).map(lambda options: {"$or": options})
    both = st.tuples(plain, choice).filter(
        # EventBridge lets a field of an alternative replace the same field beside the $or: nobody means that.
        lambda pair: not any(pair[0].keys() & option.keys() for option in pair[1]["$or"])
    )
    return plain | choice | both.map(lambda pair: {**pair[0], **pair[1]})


patterns = objects(st.recursive(leaf_patterns, objects, max_leaves=4))


@pytest.fixture(scope="module")
def judge(emulator: str) -> Any:
    return Account(emulator).client("events")


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pattern=patterns, data=values)
def test_the_embedded_aws_agrees(judge: Any, pattern: dict[str, Any], data: Any):
    whole = {"detail": {"data": pattern}}
    if event_pattern.problems(whole):
        return
    candidate = event(data)
    answer = judge.test_event_pattern(EventPattern=json.dumps(whole), Event=json.dumps(candidate))
    assert matches(whole, candidate) is answer["Result"]
