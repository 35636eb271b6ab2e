"""Composites and anonymous records: layout, what is taken, what a hostile server may send."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from tests.codecs.containers import decode, encode, ints, value

from stretto.codecs.arrays import NESTS_LISTS, Array
from stretto.codecs.base import Codec, UnknownTypes
from stretto.codecs.composite import MAX_DEPTH, Composite, Record
from stretto.codecs.numeric import Int4
from stretto.codecs.text import Text
from stretto.errors import EncodeError, ProtocolError

INT4 = Int4("int4", 23)
TEXT = Text("text", 25)
BOOK = Composite("book", 50000, ["id", "title"], [INT4, TEXT])
DATA = ints(2, 23) + value(INT4, 7) + ints(25) + value(TEXT, "Emma")


@dataclass
class Book:
    id: int
    title: str


class BookTuple(NamedTuple):
    id: int
    title: str


TAKEN = [
    (7, "Emma"),
    [7, "Emma"],
    {"title": "Emma", "id": 7},
    Book(7, "Emma"),
    BookTuple(7, "Emma"),
    SimpleNamespace(id=7, title="Emma", more=1),
]


@pytest.mark.parametrize("item", TAKEN)
def test_tuples_mappings_and_objects_are_taken(item: Any) -> None:
    assert encode(BOOK, item) == DATA
    assert decode(BOOK, DATA) == (7, "Emma")


def test_nulls() -> None:
    data = encode(BOOK, (None, None))
    assert data == ints(2, 23, -1, 25, -1)
    assert decode(BOOK, data) == (None, None)


REFUSED = [
    ((7,), "book has 2 columns, not 1"),
    ((1, "a", 2), "book has 2 columns, not 3"),
    ({"id": 7}, "the mapping has no key title"),
    ({"id": 7, "title": "Emma", "price": 1}, "book has no column price"),
    (SimpleNamespace(id=7), "SimpleNamespace has no attribute title"),
    (object(), "takes a tuple, a mapping or an object with its columns as attributes, not object"),
    ("Emma", "not str"),
    (7, "not int"),
    (("x", "Emma"), "book.id: int4 takes an int, not str"),
    ((7, 8), "book.title: text takes a str, not int"),
]


@pytest.mark.parametrize(("item", "message"), REFUSED)
def test_refused_with_the_column(item: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(BOOK, item)


def test_the_maker_makes_the_result() -> None:
    class Maker:
        def make(self, values: list[Any]) -> Book:
            return Book(*values)

    codec = Composite("book", 50000, ["id", "title"], [INT4, TEXT], Maker())
    assert decode(codec, DATA) == Book(7, "Emma")
    codec.maker = None
    assert decode(codec, DATA) == (7, "Emma")


def test_a_domains_oid_is_on_the_wire() -> None:
    codec = Composite("book", 50000, ["id"], [INT4], oids=[60000])
    assert encode(codec, (7,)) == ints(1, 60000, 4, 7)
    assert decode(codec, ints(1, 60000, 4, 7)) == (7,)


def test_names_codecs_and_oids_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        Composite("book", 50000, ["id", "title"], [INT4])


ALTERED = {
    "a column more": ints(3, 23, -1, 25, -1, 25, -1),
    "a column less": ints(1, 23, -1),
    "another type": ints(2, 23, -1, 1043, -1),
}


@pytest.mark.parametrize("data", ALTERED.values(), ids=ALTERED.keys())
def test_an_altered_type_is_asked_for_again(data: bytes) -> None:
    with pytest.raises(UnknownTypes) as info:
        decode(BOOK, data)
    assert info.value.oids == {50000}


HOSTILE = {
    "a negative number of columns": ints(-1),
    "columns beyond the message": ints(0x7FFFFFFF),
    "a column of negative length": ints(2, 23, -2, 25, -1),
    "a column beyond the message": ints(2, 23, -1, 25, 9),
    "a column too short": ints(2, 23, 3) + b"abc" + ints(25, -1),
    "bytes left over": DATA + b"x",
    "cut short": DATA[:-1],
    "nothing": b"",
}


def record(known: dict[int, Codec]) -> Record:
    return Record("record", 2249, known, lambda oid: None)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("codec", [BOOK, record({23: INT4, 25: TEXT})], ids=["composite", "record"])
def test_hostile_payloads(codec: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(codec, data)


def test_a_record_finds_the_codecs_of_its_columns() -> None:
    assert decode(record({23: INT4, 25: TEXT}), DATA) == (7, "Emma")
    assert decode(record({}), ints(0)) == ()


def test_a_record_looks_up_what_is_not_known_yet() -> None:
    asked = []

    def lookup(oid: int) -> Codec | None:
        asked.append(oid)
        return TEXT

    assert decode(Record("record", 2249, {23: INT4}, lookup), DATA) == (7, "Emma")
    assert asked == [25]


def test_all_unknown_types_of_a_record_are_told_at_once() -> None:
    data = ints(4, 23, 4, 7, 777, 3) + b"abc" + ints(888, -1, 25, -1)
    with pytest.raises(UnknownTypes) as info:
        decode(record({23: INT4, 25: TEXT}), data)
    assert info.value.oids == {777, 888}


@pytest.mark.parametrize("length", [-2, 9])
def test_an_unknown_column_of_a_bad_length(length: int) -> None:
    with pytest.raises(ProtocolError):
        decode(record({}), ints(1, 777, length))


def test_a_record_cannot_be_a_parameter() -> None:
    with pytest.raises(EncodeError, match="cast it to a named composite type"):
        encode(record({}), (1, 2))


def nested(levels: int) -> bytes:
    data = ints(0)
    for _ in range(levels):
        data = ints(1, 2249, len(data)) + data
    return data


def test_records_inside_each_other_are_bounded() -> None:
    known: dict[int, Codec] = {}
    codec = known[2249] = record(known)
    deepest = decode(codec, nested(MAX_DEPTH - 1))
    depth = 0
    while deepest:
        (deepest,) = deepest
        depth += 1
    assert depth == MAX_DEPTH - 1
    for levels in (MAX_DEPTH, 20_000):
        with pytest.raises(ProtocolError, match="inside each other"):
            decode(codec, nested(levels))


def tree_codec() -> Composite:
    """``create type tree as (id int, children tree[])``, which PostgreSQL reaches through ALTER TYPE."""
    tree = Composite("tree", 50001, [], [])
    tree.fill(["id", "children"], [INT4, Array("tree[]", 50002, tree, 50001, NESTS_LISTS)], [23, 50002])
    return tree


def test_a_type_that_contains_itself() -> None:
    tree = tree_codec()
    value = (1, [(2, []), (3, [(4, None)])])
    assert decode(tree, encode(tree, value)) == value


def test_values_that_contain_themselves_are_refused() -> None:
    tree = tree_codec()
    loop: dict[str, Any] = {"id": 1}
    loop["children"] = [loop]
    with pytest.raises(EncodeError, match="inside each other"):
        encode(tree, loop)


def test_the_buffer_serves_on_after_an_error() -> None:
    from stretto.wire.buffer import WriteBuffer

    buf = WriteBuffer()
    for _ in range(2 * MAX_DEPTH):
        with pytest.raises(EncodeError):
            BOOK.encode(buf, ("x", None))
        buf.truncate(0)
    BOOK.encode(buf, (7, "Emma"))
    assert buf.getvalue() == DATA
