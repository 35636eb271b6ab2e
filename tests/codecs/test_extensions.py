"""Enums and the types of extensions: layout, what is taken and refused, hostile payloads."""

from __future__ import annotations

import array
import enum
import math
import struct
from collections import OrderedDict
from typing import Any

import pytest
from tests.codecs.containers import decode, encode, ints

from stretto.codecs.base import Codec
from stretto.codecs.enums import Enum
from stretto.codecs.extensions import SparseVector, extension_codec
from stretto.errors import EncodeError, ProtocolError


def extension(name: str) -> Codec:
    codec = extension_codec(name, 50000)
    assert codec is not None
    return codec


MOOD = Enum("mood", 50000)
HSTORE, LTREE, VECTOR, HALFVEC, SPARSEVEC = map(extension, ["hstore", "ltree", "vector", "halfvec", "sparsevec"])


class Color(enum.Enum):
    RED = "red"


class Shade(enum.StrEnum):
    DARK = "dark"


class Number(enum.Enum):
    ONE = 1


def text(value: str) -> bytes:
    return ints(len(value)) + value.encode()


LAYOUTS = [
    (MOOD, "sad", b"sad"),
    (MOOD, "", b""),
    (HSTORE, {}, ints(0)),
    (HSTORE, {"a": "1", "b": None, "": ""}, ints(3) + text("a") + text("1") + text("b") + ints(-1) + text("") * 2),
    (LTREE, "Top.Science", b"\x01Top.Science"),
    (LTREE, "", b"\x01"),
    (VECTOR, [1.0, -2.5], b"\0\2\0\0" + struct.pack(">ff", 1.0, -2.5)),
    (VECTOR, [], b"\0\0\0\0"),
    (HALFVEC, [1.0, -2.5], b"\0\2\0\0" + struct.pack(">ee", 1.0, -2.5)),
    (SPARSEVEC, SparseVector({4: 2.0, 0: 1.5}, 5), ints(5, 2, 0, 0, 4) + struct.pack(">ff", 1.5, 2.0)),
]


@pytest.mark.parametrize(("codec", "value", "data"), LAYOUTS)
def test_layout_both_ways(codec: Codec, value: Any, data: bytes) -> None:
    assert encode(codec, value) == data
    assert decode(codec, data) == value


class PgvectorVector:
    """What pgvector's own classes have."""

    def to_list(self) -> list[float]:
        return [1.0, 2.0]


TAKEN = [
    (MOOD, Color.RED, "red"),
    (MOOD, Shade.DARK, "dark"),
    (HSTORE, OrderedDict(a="1"), {"a": "1"}),
    (VECTOR, (1, 2), [1.0, 2.0]),
    (VECTOR, range(3), [0.0, 1.0, 2.0]),
    (VECTOR, array.array("d", [1.0, 2.0]), [1.0, 2.0]),
    (VECTOR, PgvectorVector(), [1.0, 2.0]),
    (SPARSEVEC, [0.0, 1.5, 0], SparseVector({1: 1.5}, 3)),
]


@pytest.mark.parametrize(("codec", "value", "same"), TAKEN)
def test_other_classes_are_taken(codec: Codec, value: Any, same: Any) -> None:
    assert encode(codec, value) == encode(codec, same)


REFUSED = [
    (MOOD, 1, "mood takes a str, not int"),
    (MOOD, Number.ONE, "mood takes a str, not int"),
    (MOOD, "a\0", "NUL"),
    (MOOD, "\ud800", "surrogate"),
    (HSTORE, "a=>1", "hstore takes a mapping of str to str or None, not str"),
    (HSTORE, {"a": 1}, "hstore takes a str, not int"),
    (HSTORE, {None: "a"}, "hstore takes a str, not NoneType"),
    (LTREE, 5, "ltree takes a str, not int"),
    (VECTOR, "[1,2]", "vector takes a list or tuple, not str"),
    (VECTOR, [1, "x"], "a list of numbers"),
    (VECTOR, [[1.0]], "a list of numbers"),
    (VECTOR, [1e39], "out of range"),
    (HALFVEC, [65520.0], "out of range"),
    (VECTOR, [0.0] * 40000, "out of range"),
    (SPARSEVEC, {1: 2.0}, "sparsevec takes a list or tuple, not dict"),
]


@pytest.mark.parametrize(("codec", "value", "message"), REFUSED)
def test_refused(codec: Codec, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(codec, value)


HOSTILE = [
    (HSTORE, b""),
    (HSTORE, ints(-1)),
    (HSTORE, ints(0x7FFFFFFF)),
    (HSTORE, ints(1, -1, -1)),
    (HSTORE, ints(1, -2, -1)),
    (HSTORE, ints(1, 0, -2)),
    (HSTORE, ints(1, 0, 5)),
    (HSTORE, ints(1, 0x7FFFFFFF, -1)),
    (HSTORE, ints(1, 1) + b"\xff" + ints(-1)),
    (HSTORE, ints(0) + b"x"),
    (LTREE, b""),
    (LTREE, b"\x02abc"),
    (VECTOR, b"\0"),
    (VECTOR, b"\xff\xff\0\0"),
    (VECTOR, b"\0\1\0\0\0\0\0\0\0"),
    (SPARSEVEC, ints(5, -1, 0)),
    (SPARSEVEC, ints(5, 0x7FFFFFFF, 0)),
    (SPARSEVEC, ints(5, 1, 0, 0)),
    (MOOD, b"\xff"),
]


@pytest.mark.parametrize(("codec", "data"), HOSTILE)
def test_hostile_payloads(codec: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(codec, data)


def test_a_sparse_vector_tells_its_values() -> None:
    vector = SparseVector({1: 2.0}, 3)
    assert vector.to_list() == [0.0, 2.0, 0.0]
    assert repr(vector) == "SparseVector({1: 2.0}, 3)"
    assert vector != SparseVector({1: 2.0}, 4)


def test_nan_goes_to_the_server_to_be_judged() -> None:
    assert math.isnan(decode(VECTOR, encode(VECTOR, [math.nan]))[0])


def test_an_unknown_name_has_no_codec() -> None:
    assert extension_codec("cube", 1) is None
