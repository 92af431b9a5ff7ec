"""`--edit`: RFC 7396, and no change beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.actions.replay.merge_patch import NotEditableError, edited, merged, read_patch
from ops.errors import UsageError


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        # RFC 7396, Appendix A, all of its cases.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(original: Any, patch: Any, result: Any) -> None:
    before = json.dumps(original)

    assert merged(original, patch) == result
    assert json.dumps(original) == before


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), _JSON))
def test_an_empty_patch_changes_nothing(document: dict[str, Any]) -> None:
    body = json.dumps(document)

    assert json.loads(edited(body, {})) == document


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no json", "Expecting value"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ('{"price": 0.1000000000000000055511151231257827}', "0.1000000000000000055511151231257827 would lose digits"),
        ('{"big": 1e400}', "1e400"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ("[" * 100_000, "cannot be edited"),
    ],
)
def test_a_body_that_would_change_beside_the_patch_is_not_edited(body: str, why: str) -> None:
    with pytest.raises(NotEditableError, match=why):
        edited(body, {"a": 1})


@pytest.mark.parametrize("body", ['{"price": 0.1, "n": 1.50, "big": 123456789012345678901234567890, "e": 1E+2}'])
def test_numbers_keep_their_value(body: str) -> None:
    assert json.loads(edited(body, {"x": "ñ"})) == {**json.loads(body), "x": "ñ"}


def test_half_a_surrogate_pair_stays_an_escape() -> None:
    text = edited('{"a": "\\ud83d", "b": "ü"}', {})

    assert text.encode()
    assert json.loads(text) == {"a": "\ud83d", "b": "ü"}


def test_a_patch_can_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "patch.json").write_text('{"detail": {"city": "Perth"}}')

    assert read_patch(f"@{tmp_path}/patch.json") == {"detail": {"city": "Perth"}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "must be"),
        ("", "not JSON"),
        ("@/no/such", "@/no/such"),
    ],
)
def test_a_wrong_patch_is_a_usage_error(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_patch(text)
