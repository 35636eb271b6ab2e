"""Ranges and multiranges: the value class, the layout, hostile payloads."""

from __future__ import annotations

import itertools
import pickle
from types import SimpleNamespace
from typing import Any

import asyncpg
import psycopg.types.range
import pytest
from tests.codecs.containers import decode, encode, ints

from stretto.codecs.numeric import Int4
from stretto.codecs.ranges import Multirange, Range, RangeCodec
from stretto.errors import EncodeError, ProtocolError

RANGE = RangeCodec("int4range", 3904, Int4("int4", 23))
MULTI = Multirange("int4multirange", 4451, RANGE)


def one(n: int) -> bytes:
    return ints(4, n)


LAYOUTS = [
    (Range(empty=True), b"\x01"),
    (Range(1, 5), b"\x02" + one(1) + one(5)),
    (Range(1, 5, lower_inc=False, upper_inc=True), b"\x04" + one(1) + one(5)),
    (Range(1, 5, lower_inc=False), b"\x00" + one(1) + one(5)),
    (Range(1, 5, upper_inc=True), b"\x06" + one(1) + one(5)),
    (Range(None, 5), b"\x08" + one(5)),
    (Range(1, None), b"\x12" + one(1)),
    (Range(), b"\x18"),
]


@pytest.mark.parametrize(("value", "data"), LAYOUTS)
def test_layout_both_ways(value: Range, data: bytes) -> None:
    assert encode(RANGE, value) == data
    assert decode(RANGE, data) == value


def test_multirange_both_ways() -> None:
    values = [value for value, _ in LAYOUTS]
    data = ints(len(values)) + b"".join(ints(len(payload)) + payload for _, payload in LAYOUTS)
    assert encode(MULTI, values) == data
    assert decode(MULTI, data) == values
    assert decode(MULTI, encode(MULTI, [])) == []


TAKEN = [
    ((1, 5), Range(1, 5)),
    ([None, 5], Range(None, 5)),
    (psycopg.types.range.Range(1, 5, "(]"), Range(1, 5, lower_inc=False, upper_inc=True)),
    (psycopg.types.range.Range(empty=True), Range(empty=True)),
    (SimpleNamespace(lower=1, upper=None, lower_inc=True, upper_inc=False, isempty=False), Range(1, None)),
]


@pytest.mark.parametrize(("value", "same"), TAKEN)
def test_pairs_and_other_libraries_ranges_are_taken(value: Any, same: Range) -> None:
    assert encode(RANGE, value) == encode(RANGE, same)


REFUSED = [
    (RANGE, 5, "a Range or a pair of bounds, not int"),
    (RANGE, "[1,5)", "not str"),
    (RANGE, (1, 2, 3), "not tuple"),
    (RANGE, Range("a", "b"), "int4range: lower bound: int4 takes an int"),
    (RANGE, Range(1, 2**31), "int4range: upper bound: .*out of range"),
    (MULTI, Range(1, 5), "a list of Range, not Range"),
    (MULTI, "abc", "a list of Range, not str"),
    (MULTI, [None], "no NULL"),
    (MULTI, [5], "a Range"),
]


@pytest.mark.parametrize(("codec", "value", "message"), REFUSED)
def test_refused(codec: Any, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(codec, value)


HOSTILE = [
    (RANGE, b""),
    (RANGE, b"\x02"),
    (RANGE, b"\x02" + one(1)),
    (RANGE, b"\x02" + one(1) + ints(-1)),
    (RANGE, b"\x02" + one(1) + ints(-2)),
    (RANGE, b"\x02" + one(1) + ints(0x7FFFFFFF)),
    (RANGE, b"\x01x"),
    (RANGE, b"\x18x"),
    (MULTI, b""),
    (MULTI, ints(-1)),
    (MULTI, ints(0x7FFFFFFF)),
    (MULTI, ints(1, -1)),
    (MULTI, ints(1, -2)),
    (MULTI, ints(1, 100)),
    (MULTI, ints(0) + b"x"),
]


@pytest.mark.parametrize(("codec", "data"), HOSTILE)
def test_hostile_payloads(codec: Any, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(codec, data)


def test_equal_and_hashable_by_value() -> None:
    assert Range(1, 5) == Range(1, 5, lower_inc=True)
    assert Range(1, 5) != Range(1, 5, upper_inc=True)
    assert Range(1, 5) != (1, 5)
    assert len({Range(1, 5), Range(1, 5), Range(), Range(empty=True)}) == 3
    assert Range(None, None, lower_inc=True, upper_inc=True) == Range()


def test_cannot_be_changed() -> None:
    value = Range(1, 5)
    with pytest.raises(AttributeError):
        value.lower = 2
    with pytest.raises(AttributeError):
        del value.lower
    assert value == Range(1, 5)


def test_an_empty_range_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="no bounds"):
        Range(1, empty=True)


CONTAINS = [
    (Range(1, 5), [1, 4], [0, 5]),
    (Range(1, 5, lower_inc=False, upper_inc=True), [2, 5], [1, 6]),
    (Range(None, 5), [-(10**9), 4], [5]),
    (Range(), [0], []),
    (Range(empty=True), [], [0]),
]


@pytest.mark.parametrize(("value", "inside", "outside"), CONTAINS)
def test_contains(value: Range, inside: list[int], outside: list[int]) -> None:
    assert all(item in value for item in inside)
    assert not any(item in value for item in outside)


SHOWN = [
    (Range(1, 5), "<Range [1, 5)>"),
    (Range(None, 5, upper_inc=True), "<Range (, 5]>"),
    (Range("a", None), "<Range ['a', )>"),
    (Range(empty=True), "<Range empty>"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_repr_and_pickle(value: Range, text: str) -> None:
    assert repr(value) == text
    assert pickle.loads(pickle.dumps(value)) == value
    assert bool(value) is not value.isempty


def test_infinite_bounds_are_told_from_an_empty_range() -> None:
    assert (Range().lower_inf, Range().upper_inf) == (True, True)
    assert (Range(empty=True).lower_inf, Range(empty=True).upper_inf) == (False, False)


BOUNDS = [None, 1, 2, 3]
RANGES = [Range(empty=True)] + [
    Range(low, high, with_low, with_high)
    for low, high, with_low, with_high in itertools.product(BOUNDS, BOUNDS, (True, False), (True, False))
    if low is None or high is None or low <= high
]


def test_issubset_and_issuperset_are_asyncpgs() -> None:
    for one, other in itertools.product(RANGES, RANGES):
        peers = [
            asyncpg.Range(r.lower, r.upper, lower_inc=r.lower_inc, upper_inc=r.upper_inc, empty=r.isempty)
            for r in (one, other)
        ]
        assert one.issubset(other) is peers[0].issubset(peers[1]), (one, other)
        assert one.issuperset(other) is peers[0].issuperset(peers[1]), (one, other)
