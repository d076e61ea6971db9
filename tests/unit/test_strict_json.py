"""The quick decoder gives what the careful one gives, or leaves the body to it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.problems import Problem
from serving.requests.strict_json import MAX_DEPTH, _decode_carefully, decode

TEXTS = st.text(max_size=5) | st.sampled_from(["a:b", '"', "\\", ":", '{"a":1}', "2024-05-31T08:30:00Z"])
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 1e300, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _outcome(function: Any, body: bytes) -> Any:
    try:
        return repr(function(body))
    except Problem as problem:
        return problem.status, problem.message


@given(value=VALUES, is_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_what_json_holds_is_read_alike(value: Any, is_ascii: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    assert _outcome(decode, body) == _outcome(_decode_carefully, body)


@given(value=VALUES, cut=st.integers(0, 60), put=st.binary(max_size=3))
def test_what_is_broken_is_refused_alike(value: Any, cut: int, put: bytes) -> None:
    whole = json.dumps(value).encode()
    body = whole[:cut] + put + whole[cut + 1 :]
    assert _outcome(decode, body) == _outcome(_decode_carefully, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": ":", "b": ""}}',
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b'"\xff"',
        b"",
    ],
)
def test_what_two_parsers_could_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        decode(body)
    assert refused.value.status == 400


def test_the_deepest_that_is_promised_is_read() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert decode(body) == json.loads(body)


def test_an_integer_of_more_than_64_bits_stays_one() -> None:
    assert decode(b'{"a": 123456789012345678901234567890}') == {"a": 123456789012345678901234567890}
