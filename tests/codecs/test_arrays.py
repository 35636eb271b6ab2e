"""Arrays in binary: layout, what is taken, what is refused, what a hostile server may send."""

from __future__ import annotations

import array
from collections import deque
from typing import Any

import pytest
from tests.codecs.containers import decode, encode, ints

from stretto.codecs.arrays import NESTS_LISTS, NESTS_NONE, AnyArray, Array
from stretto.codecs.base import UnknownTypes
from stretto.codecs.numeric import Int4
from stretto.codecs.text import Text
from stretto.errors import EncodeError, ProtocolError

INT4 = Int4("int4", 23)
INTS = Array("int4[]", 1007, INT4, 23)
TEXTS = Array("text[]", 1009, Text("text", 25), 25)

HEADER = ints(1, 0, 23)


def one(n: int) -> bytes:
    return ints(4, n)


LAYOUTS = [
    ([], ints(0, 0, 23)),
    ([7], ints(1, 0, 23, 1, 1) + one(7)),
    ([1, None, -3], ints(1, 0, 23, 3, 1) + one(1) + ints(-1) + one(-3)),
    ([[1, 2], [3, 4]], ints(2, 0, 23, 2, 1, 2, 1) + one(1) + one(2) + one(3) + one(4)),
    ([[[[[[5]]]]]], ints(6, 0, 23, *([1, 1] * 6)) + one(5)),
]


@pytest.mark.parametrize(("value", "data"), LAYOUTS)
def test_layout_both_ways(value: Any, data: bytes) -> None:
    assert encode(INTS, value) == data
    assert decode(INTS, data) == value


class NumpyArray:
    """What numpy's arrays have and are: ``tolist``, and no Sequence."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def tolist(self) -> list[Any]:
        return self.items


SAME_AS_LIST = [
    ((1, 2), [1, 2]),
    (((1, 2), (3, 4)), [[1, 2], [3, 4]]),
    (range(3), [0, 1, 2]),
    (deque([1, 2]), [1, 2]),
    (array.array("i", [1, 2]), [1, 2]),
    (NumpyArray([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    ([[], []], []),
    ([[[]]], []),
]


@pytest.mark.parametrize(("value", "same"), SAME_AS_LIST)
def test_other_sequences_are_taken_for_lists(value: Any, same: list[Any]) -> None:
    assert encode(INTS, value) == encode(INTS, same)


REFUSED = [
    (TEXTS, "abc", r"text\[\] takes a list or tuple, not str: put it in a list"),
    (TEXTS, b"abc", "not bytes"),
    (INTS, bytearray(b"abc"), "not bytearray"),
    (INTS, {1, 2}, r"not set: give list\(...\)"),
    (INTS, {1: 2}, "not dict"),
    (INTS, {1: 2}.keys(), "not dict_keys"),
    (INTS, iter([1]), "not list_iterator"),
    (INTS, 5, "not int"),
    (INTS, [1, "x"], r"int4\[\]: element \[1\]: int4 takes an int, not str"),
    (INTS, [[1, 2], [3, 2**31]], r"int4\[\]: element \[1\]\[1\]: .*out of range"),
    (INTS, [[[1]], [["x"]]], r"element \[1\]\[0\]\[0\]: int4"),
    (INTS, [[1, 2], [3]], r"element \[1\]: ragged: a list of 2 was expected here, as the others are, not of 1"),
    (INTS, [[1], 2], r"element \[1\]: ragged: .* not int"),
    (INTS, [[1], None], r"element \[1\]: ragged: .* not NoneType"),
    (INTS, [1, [2]], r"element \[1\]: int4 takes an int, not list"),
    (INTS, [[], [1]], r"element \[1\]: ragged"),
    (INTS, [[[[[[[1]]]]]]], "at most 6 dimensions"),
    (TEXTS, ["a\0"], r"element \[0\]: .*NUL"),
]


@pytest.mark.parametrize(("codec", "value", "message"), REFUSED)
def test_refused_with_the_place(codec: Array, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(codec, value)


def test_a_list_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(EncodeError, match="dimensions"):
        encode(INTS, loop)


def test_values_are_not_in_the_message() -> None:
    with pytest.raises(EncodeError) as info:
        encode(INTS, ["secret"])
    assert "secret" not in str(info.value)


def test_lower_bounds_are_dropped() -> None:
    assert decode(INTS, ints(1, 0, 23, 2, 0) + one(1) + one(2)) == [1, 2]
    assert decode(INTS, ints(1, 0, 23, 2, -5) + one(1) + one(2)) == [1, 2]


def test_a_vector_is_sent_from_0() -> None:
    vector = Array("int2vector", 22, INT4, 23, lower=0)
    assert encode(vector, [1]) == ints(1, 0, 23, 1, 0) + one(1)


class Pair(Int4):
    """Takes sequences of two numbers and writes the first."""

    def encode(self, buf: Any, value: Any) -> None:
        buf.write_int32(value[0])


NESTING = [
    (NESTS_LISTS, [(1, 2), (3, 4)], (2,)),
    (NESTS_LISTS, [[(1, 2)], [(3, 4)]], (2, 1)),
    (NESTS_NONE, [[1, 2], [3, 4], (5, 6)], (3,)),
]


@pytest.mark.parametrize(("nests", "value", "sizes"), NESTING)
def test_what_is_an_element_and_what_a_dimension(nests: Any, value: Any, sizes: tuple[int, ...]) -> None:
    data = encode(Array("pair[]", 0, Pair("pair", 23), 23, nests), value)
    assert data.startswith(ints(len(sizes)))
    assert len(decode(INTS, data)) == sizes[0]


HOSTILE = {
    "seven dimensions": ints(7, 0, 23, *([1, 1] * 7)) + one(1),
    "minus one dimension": ints(-1, 0, 23),
    "a negative size": ints(1, 0, 23, -1, 1),
    "a size beyond the message": ints(1, 0, 23, 0x7FFFFFFF, 1),
    "a size that is one too large": ints(1, 0, 23, 3, 1) + one(1) + ints(-1),
    "a product beyond the message": ints(6, 0, 23, *([0x7FFFFFFF, 1] * 6)),
    "a product that wraps to 0": ints(4, 0, 23, *([0x10000, 1] * 4)),
    "a large size beside an empty one": ints(2, 0, 23, 0x7FFFFFFF, 1, 0, 1),
    "an element of negative length": ints(1, 0, 23, 1, 1, -2),
    "an element beyond the message": ints(1, 0, 23, 1, 1, 5, 1),
    "an element too short": ints(1, 0, 23, 1, 1) + b"\0\0\0\3abc",
    "elements of another type": ints(1, 0, 25, 1, 1) + one(1),
    "bytes left over": ints(1, 0, 23, 1, 1) + one(1) + b"x",
    "bytes left over in an empty one": ints(0, 0, 23) + b"x",
    "a header cut short": ints(1, 0),
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_payloads(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(INTS, data)


def test_anyarray_finds_its_element_codec() -> None:
    codec = AnyArray("anyarray", 2277, {23: INT4}.get)
    assert decode(codec, ints(1, 0, 23, 1, 1) + one(5)) == [5]
    with pytest.raises(UnknownTypes) as info:
        decode(codec, ints(1, 0, 99, 1, 1) + one(5))
    assert info.value.oids == {99}
    with pytest.raises(EncodeError, match="cast"):
        encode(codec, [1])
