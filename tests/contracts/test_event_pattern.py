from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.event_pattern import ENVELOPE_FIELDS, MAX_BYTES, problems
from tests.emulator import Account


def detail(*entries: Any) -> dict[str, Any]:
    return {"detail": {"data": {"field": list(entries)}}}


ACCEPTED = [
    {"source": ["com.flix"], "detail": {"data": {"region": ["AU", "NZ"]}}},
    detail("text", 1, 1.5, True, None),
    detail({"prefix": "a"}),
    detail({"prefix": {"equals-ignore-case": "a"}}),
    detail({"suffix": ".png"}),
    detail({"suffix": {"equals-ignore-case": ".PNG"}}),
    detail({"equals-ignore-case": "a"}),
    detail({"wildcard": "a*b*c"}),
    detail({"wildcard": r"a\*b\\c"}),
    detail({"exists": True}),
    detail({"exists": False}),
    detail({"cidr": "10.0.0.0/24"}),
    detail({"cidr": "2001:db8::/32"}),
    detail({"numeric": ["=", 5]}),
    detail({"numeric": [">", 0, "<=", 5.5]}),
    detail({"anything-but": "a"}),
    detail({"anything-but": 5}),
    detail({"anything-but": ["a", "b"]}),
    detail({"anything-but": [1, 2]}),
    detail({"anything-but": {"prefix": "a"}}),
    detail({"anything-but": {"suffix": ["a", "b"]}}),
    detail({"anything-but": {"equals-ignore-case": "a"}}),
    detail({"anything-but": {"wildcard": "*/lib/*"}}),
    {"$or": [{"source": ["a"]}, {"detail": {"x": [1]}}]},
    {"detail": {"$or": [{"x": [1]}, {"y": [{"exists": True}]}]}},
    {"resources": [{"prefix": "arn:aws:s3"}], "detail-type": ["Object Created"]},
]


@pytest.mark.parametrize("pattern", ACCEPTED, ids=json.dumps)
def test_what_eventbridge_documents_is_accepted(pattern: dict[str, Any]):
    assert problems(pattern) == []


def test_the_embedded_aws_accepts_them_too(account: Account):
    events = account.client("events")
    for pattern in ACCEPTED:
        events.put_rule(Name="rule", EventPattern=json.dumps(pattern))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ([], "an event pattern is an object of fields, not []"),
        ({}, "an event pattern needs at least one field, e.g. source: [pizza.service.com]"),
        ({"source": "a"}, "source: expected a list of values, got 'a'; write ['a']"),
        ({"source": []}, "source: an empty list matches nothing; list at least one value"),
        ({"detail": ["x"]}, "detail: expected an object of fields, got ['x']"),
        (detail([1]), "detail.data.field[0]: expected a text, a number, true, false, null or one operator, got [1]"),
        (detail({"prefix": "a", "suffix": "b"}), "detail.data.field[0]: expected exactly one operator"),
        (detail({"like": "a"}), "detail.data.field[0]: unknown operator 'like'; allowed are anything-but, cidr"),
        (detail({"prefix": 5}), "detail.data.field[0].prefix: expected a non-empty text, got 5"),
        (detail({"suffix": {"wildcard": "a"}}), "detail.data.field[0].suffix: expected a text or {equals-ignore-case"),
        (detail({"wildcard": "a**b"}), "detail.data.field[0].wildcard: 'a**b' has two asterisks in a row"),
        (detail({"wildcard": r"a\b"}), r"detail.data.field[0].wildcard: 'a\\b': a backslash may stand only before"),
        (detail({"exists": "yes"}), "detail.data.field[0].exists: expected true or false, got 'yes'"),
        (detail({"cidr": "10.0.0.1"}), "detail.data.field[0].cidr: expected an address range such as 10.0.0.0/24"),
        (detail({"cidr": "10.0.0.0/99"}), "detail.data.field[0].cidr: expected an address range"),
        (detail({"numeric": [">"]}), 'detail.data.field[0].numeric: expected [">", 0] or'),
        (detail({"numeric": ["!=", 1]}), "detail.data.field[0].numeric: unknown comparison '!='"),
        (detail({"numeric": [">", "1"]}), "detail.data.field[0].numeric: expected a number, got '1'"),
        (detail({"numeric": [">", 6e9]}), "detail.data.field[0].numeric: 6000000000.0 is outside -5e9 to 5e9"),
        (detail({"numeric": ["<", 5, ">", 0]}), "detail.data.field[0].numeric: a range is a lower bound"),
        (detail({"numeric": [">", 5, "<", 5]}), "detail.data.field[0].numeric: a range is a lower bound"),
        (detail({"anything-but": ["a", 1]}), "detail.data.field[0].anything-but: expected texts, or numbers"),
        (detail({"anything-but": []}), "detail.data.field[0].anything-but: expected texts, or numbers"),
        (detail({"anything-but": {"cidr": "a"}}), "detail.data.field[0].anything-but: expected one of"),
        (detail({"anything-but": {"prefix": 1}}), "detail.data.field[0].anything-but.prefix: expected a non-empty"),
        ({"detail": {"data": {}}}, "detail.data: an empty object matches nothing"),
        ({"$or": [{"source": ["a"]}]}, "$or: expected a list of at least two objects"),
        ({"$or": [{"source": ["a"]}, 1]}, "$or[1]: expected an object of fields, got 1"),
        ({"detail": {"x": ["y" * MAX_BYTES]}}, "the pattern has 2,069 bytes; EventBridge allows 2,048"),
        ({"detail": {"x": [{"numeric": [">", 10**400]}]}}, "is outside -5e9 to 5e9"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_mistake_is_named_with_its_path(pattern: Any, expected: str):
    found = problems(pattern)
    assert any(expected in problem for problem in found), found


def test_a_field_that_no_event_has_is_a_mistake_that_eventbridge_would_accept():
    (problem,) = problems({"detail_type": ["OrderCreated"]})
    assert problem.startswith("detail_type: no event has this field; did you mean 'detail-type'?")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(string.printable, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters + "$-", max_size=8), inner)
    ),
    max_leaves=12,
)


@given(JSON | st.dictionaries(st.sampled_from([*sorted(ENVELOPE_FIELDS), "$or"]), JSON))
def test_any_document_gets_an_answer_and_never_a_traceback(document: Any):
    assert all(isinstance(problem, str) for problem in problems(document))


@given(st.lists(st.sampled_from(ACCEPTED), min_size=2, max_size=4))
def test_alternatives_of_accepted_patterns_are_accepted(patterns: list[dict[str, Any]]):
    found = problems({"$or": patterns})
    assert [problem for problem in found if "bytes" not in problem] == []
