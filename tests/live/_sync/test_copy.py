# Generated from tests/live/_async/test_copy.py by tools/make_sync.py: do not edit.
"""COPY: every kind of source and sink, all or nothing, and a connection that is usable whatever went wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from tests.live.support import Broken, kill

from stretto._sync.database import Database
from stretto.errors import ConnectionLost, DataError, EncodeError, Error, UsageError
from stretto.sqlstate import BadCopyFileFormat, SqlSyntaxError, UndefinedColumn, UndefinedTable, UniqueViolation

TABLE = "create table t (id int primary key, name text, price numeric)"
ROWS = [(1, "one", Decimal("1.50")), (2, None, None), (3, 'thr"ee,\n\\', Decimal("-3"))]


@dataclass
class Item:
    id: int
    name: str | None
    price: Decimal | None


class Pair(NamedTuple):
    id: int
    name: str | None


# --- rows in ----------------------------------------------------------------------------------------------------------


def one_by_one() -> Iterator[tuple[Any, ...]]:
    for row in ROWS:
        yield row


SOURCES: dict[str, Callable[[], Any]] = {
    "tuples": lambda: ROWS,
    "lists": lambda: [list(row) for row in ROWS],
    "dicts": lambda: [{"price": price, "id": id, "name": name} for id, name, price in ROWS],
    "objects": lambda: [Item(*row) for row in ROWS],
    "generator": lambda: (row for row in ROWS),
    "function's generator": one_by_one,
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_rows_go_in(one: Database, source: Callable[[], Any]) -> None:
    one.execute(TABLE)
    assert str(one.copy_in("t", source())) == "COPY 3"
    assert one.fetch("select * from t order by id") == ROWS


def test_columns_may_be_chosen_and_ordered(one: Database, schema: str) -> None:
    one.execute(TABLE)
    assert str(one.copy_in(f"{schema}.t", [("one", 1)], columns=["name", "id"])) == "COPY 1"
    assert str(one.copy_in((schema, "t"), [Pair(2, "two")], columns=["id", "name"])) == "COPY 1"
    assert str(one.copy_in("t", [{"id": 3}, {"id": 4}], columns=["id"])) == "COPY 2"
    assert one.fetch("select id, name from t order by id") == [(1, "one"), (2, "two"), (3, None), (4, None)]


def test_odd_names_are_quoted(one: Database) -> None:
    one.execute('create table "a ""b" ("select" int, "Ä" text)')
    assert str(one.copy_in('a "b', [(1, "x")])) == "COPY 1"
    assert str(one.copy_in('a "b', [{"Ä": "y"}], columns=["Ä"])) == "COPY 1"
    assert one.fetch('select * from "a ""b"') == [(1, "x"), (None, "y")]


def test_no_rows_are_no_rows(one: Database) -> None:
    one.execute(TABLE)
    assert str(one.copy_in("t", [])) == "COPY 0"
    assert str(one.copy_in("t", iter(()))) == "COPY 0"
    assert str(one.copy_in("t", b"", format="csv")) == "COPY 0"


def test_many_rows_with_types_of_the_tables_own(one: Database) -> None:
    one.execute(
        "create type mood as enum ('sad', 'glad'); create type pair as (a int, b text);"
        "create table many (id int, m mood, p pair, tags text[], j jsonb)"
    )
    rows = [(i, "glad", (i, "x"), ["a", None], {"i": i}) for i in range(20_000)]
    assert str(one.copy_in("many", rows)) == "COPY 20000"
    assert one.fetchrow("select count(*), sum((p).a), min(m), max(j ->> 'i') from many") == (
        20_000,
        sum(range(20_000)),
        "glad",
        "9999",
    )
    assert one.fetch("select * from many where id = 7") == [rows[7]]


# --- bytes in ---------------------------------------------------------------------------------------------------------

CSV = b'id,name,price\n1,one,1.50\n2,,\n3,"thr""ee,\n\\",-3\n'


def write(folder: Path, data: bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(data)
    return path


def pieces() -> Iterator[bytes]:
    for i in range(0, len(CSV), 7):
        yield CSV[i : i + 7]


BYTES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda folder: CSV,
    "bytearray": lambda folder: bytearray(CSV),
    "memoryview": lambda folder: memoryview(CSV),
    "path": lambda folder: write(folder, CSV),
    "path as str": lambda folder: str(write(folder, CSV)),
    "file": lambda folder: io.BytesIO(CSV),
    "iterable": lambda folder: [CSV[:10], b"", CSV[10:]],
    "function's generator": lambda folder: pieces(),
}


@pytest.mark.parametrize("source", BYTES.values(), ids=BYTES)
def test_bytes_go_in(one: Database, tmp_path: Path, source: Callable[[Path], Any]) -> None:
    one.execute(TABLE)
    assert str(one.copy_in("t", source(tmp_path), format="csv", header=True)) == "COPY 3"
    assert one.fetch("select * from t order by id") == ROWS


@pytest.mark.parametrize("format", ["csv", "text", "binary"])
def test_what_went_out_goes_in(one: Database, format: str) -> None:
    one.execute(TABLE)
    one.copy_in("t", ROWS)
    sink = io.BytesIO()
    assert one.copy_out("t", sink, format=format) == "COPY 3"
    one.execute("truncate t")
    assert str(one.copy_in("t", sink.getvalue(), format=format)) == "COPY 3"
    assert one.fetch("select * from t order by id") == ROWS


OPTIONS: list[tuple[dict[str, Any], bytes, list[Any]]] = [
    ({"delimiter": ";"}, b"1;one;2\n", [(1, "one", 2)]),
    ({"delimiter": "\t", "null": "-"}, b"1\t-\t2\n", [(1, None, 2)]),
    ({"null": "\\N"}, b"1,\\N,\\N\n", [(1, None, None)]),
    ({"quote": "'"}, b"1,'o,ne',2\n", [(1, "o,ne", 2)]),
    ({"escape": "\\"}, b'1,"o\\"ne",2\n', [(1, 'o"ne', 2)]),
    ({"header": "match"}, b"id,name,price\n1,one,2\n", [(1, "one", 2)]),
    ({"header": False}, b"1,one,2\n", [(1, "one", 2)]),
    ({"force_not_null": ["name"]}, b"1,,2\n", [(1, "", 2)]),
    ({"force_null": ["name"], "null": "x"}, b'1,"x",2\n', [(1, None, 2)]),
    ({"on_error": "ignore"}, b"1,one,2\nbad,row,3\n2,two,3\n", [(1, "one", 2), (2, "two", 3)]),
]


@pytest.mark.parametrize(("options", "data", "rows"), OPTIONS)
def test_options_are_copys(one: Database, options: dict[str, Any], data: bytes, rows: list[Any]) -> None:
    one.execute(TABLE)
    one.copy_in("t", data, format="csv", **options)
    assert one.fetch("select * from t order by id") == rows


# --- what goes wrong --------------------------------------------------------------------------------------------------


def failing(count: int) -> Iterator[tuple[int]]:
    for i in range(count):
        yield (i,)
    raise Broken


@pytest.mark.parametrize("count", [0, 1, 600, 20_000])
def test_a_source_that_raises_leaves_no_row(one: Database, count: int) -> None:
    one.execute("create table t (id int)")
    with pytest.raises(Broken):
        one.copy_in("t", failing(count))
    assert one.fetchval("select count(*) from t") == 0
    with pytest.raises(Broken):
        one.copy_in("t", (b"%d\n" % row for row in failing(count)), format="csv")
    assert one.fetchval("select count(*) from t") == 0
    assert one.fetchval("select pg_backend_pid()") == one.fetchval("select pg_backend_pid()")


BAD_ROWS: list[tuple[Any, dict[str, Any], type[Error], str]] = [
    ([(1,), ("two",)], {}, EncodeError, r"row 1, column id \(int4\)"),
    ([(i,) for i in range(1300)] + [(2**40,)], {}, EncodeError, "row 1300, column id"),
    ([(1,), (2, 3)], {}, UsageError, "row 1 has 2 values, but 1 columns"),
    ([(1,), ()], {}, UsageError, "row 1 has 0 values, but 1 columns"),
    ([{"id": 1}, {"di": 2}], {}, UsageError, "no value for column 'id'"),
    ([(1,), {"id": 2}], {}, UsageError, "row 1"),
    ([{"id": 1}, (2, 3)], {}, UsageError, "row 1 has 2 values"),
    ([object()], {}, UsageError, "class object has no value for column"),
    ([5], {}, UsageError, "class int"),
    ([(1,), (1,)], {}, UniqueViolation, "duplicate key"),
    ([(i % 60_000,) for i in range(60_001)], {}, UniqueViolation, "duplicate key"),
    ([(1,)], {"columns": ["di"]}, UndefinedColumn, "di"),
    ([(1,)], {"columns": []}, UsageError, "columns="),
    ([(1,)], {"columns": "id"}, UsageError, "columns="),
    ([{"id": 1}, {"di": 2}], {}, UsageError, "row 1 of class dict has no value for column 'id'"),
    (5, {}, UsageError, "an iterable of rows, not int"),
    (b"1\n", {}, UsageError, "bytes need format="),
    (5, {"format": "csv"}, UsageError, "not int"),
    (["1\n"], {"format": "csv"}, UsageError, "must give bytes, not str"),
    (b"1\n", {"format": "json"}, UsageError, "csv"),
    (b"1\n", {"format": "csv", "delimeter": ";"}, UsageError, "COPY has no option delimeter"),
    (b"1\n", {"format": "csv", "on_error": "explode"}, UsageError, "on_error"),
    (b"one\n", {"format": "csv"}, DataError, "invalid input syntax"),
    (b"1,2\n", {"format": "csv"}, BadCopyFileFormat, "extra data"),
    (b"1\n" * 200_000, {"format": "csv"}, UniqueViolation, "duplicate key"),
    (b"\xff\n", {"format": "csv"}, DataError, "encoding"),
    (b"not binary", {"format": "binary"}, BadCopyFileFormat, "signature"),
    (Path("/nowhere/at/all"), {"format": "csv"}, FileNotFoundError, "nowhere"),  # type: ignore[list-item]  # not ours
]


@pytest.mark.parametrize(("source", "keywords", "kind", "text"), BAD_ROWS)
def test_what_is_wrong_is_told_and_leaves_no_row(
    one: Database, source: Any, keywords: dict[str, Any], kind: type[Error], text: str
) -> None:
    one.execute("create table t (id int primary key)")
    with pytest.raises(kind, match=text):
        one.copy_in("t", source, **keywords)
    assert one.fetchval("select count(*) from t") == 0


def test_a_table_that_is_not_there(one: Database) -> None:
    for source, keywords in (([(1,)], {}), (b"1\n", {"format": "csv"})):
        with pytest.raises(UndefinedTable, match="nowhere"):
            one.copy_in("nowhere", source, **keywords)
    with pytest.raises(UndefinedTable, match="nowhere"):
        one.copy_out("nowhere", io.BytesIO())
    with pytest.raises(SqlSyntaxError):
        one.copy_out("select selct from", io.BytesIO())
    assert one.fetchval("select 1") == 1


@pytest.mark.parametrize("sql", ["copy t from stdin", "copy t to stdout", "copy t from stdin; select 1"])
def test_copy_by_another_verb_is_refused(one: Database, sql: str) -> None:
    one.execute("create table t (id int); insert into t select generate_series(1, 10)")
    for verb in (one.execute, one.fetch):
        with pytest.raises(Error):
            verb(sql)
        assert one.fetchval("select count(*) from t") == 10


def test_a_copy_joins_the_transaction_of_its_connection(one: Database) -> None:
    one.execute(TABLE)
    with one.connection() as connection:
        connection.execute("begin")
        connection.copy_in("t", ROWS)
        assert connection.in_transaction
        assert connection.fetchval("select count(*) from t") == 3
        connection.execute("rollback")
    assert one.fetchval("select count(*) from t") == 0


def test_a_source_may_not_use_the_connection_it_feeds(one: Database) -> None:
    one.execute("create table t (id int)")
    with one.connection() as connection:

        def rows() -> Iterator[Any]:
            yield (1,)
            yield (connection.fetchval("select 2"),)

        with pytest.raises(UsageError, match="a COPY is running on this connection"):
            connection.copy_in("t", rows())
        assert connection.fetchval("select count(*) from t") == 0


def test_a_connection_lost_during_a_copy(one: Database, outside: psycopg.Connection[Any]) -> None:
    one.execute("create table t (id int)")
    with one.connection() as connection:

        def rows() -> Iterator[tuple[int]]:
            for i in range(1_000_000):
                if i == 5000:
                    kill(outside, connection.pid)
                yield (i,)

        with pytest.raises(ConnectionLost):
            connection.copy_in("t", rows())
    assert one.fetchval("select count(*) from t") == 0


# --- out --------------------------------------------------------------------------------------------------------------


def test_a_table_goes_out(one: Database, tmp_path: Path) -> None:
    one.execute(TABLE)
    one.copy_in("t", ROWS)
    path = tmp_path / "out.csv"
    for sink in (path, str(path)):
        assert one.copy_out("t", sink, header=True) == "COPY 3"
        assert path.read_bytes() == CSV
    with path.open("wb") as file:
        assert one.copy_out("t", file, columns=["id"]) == "COPY 3"
    assert path.read_bytes() == b"1\n2\n3\n"
    chunks: list[bytes] = []
    assert one.copy_out("t", chunks.append, format="text", null="-") == "COPY 3"
    assert b"".join(chunks) == b'1\tone\t1.50\n2\t-\t-\n3\tthr"ee,\\n\\\\\t-3\n'


def test_a_query_goes_out(one: Database) -> None:
    chunks: list[bytes] = []
    assert one.copy_out("select i, 'x' from generate_series(1, 3) i;", chunks.append) == "COPY 3"
    assert one.copy_out("values (1), (2)", chunks.append, force_quote="*") == "COPY 2"
    assert one.copy_out("select 1 where false", chunks.append) == "COPY 0"
    assert b"".join(chunks) == b'1,x\n2,x\n3,x\n"1"\n"2"\n'


def test_an_error_in_the_middle_is_raised(one: Database) -> None:
    chunks: list[bytes] = []
    with pytest.raises(DataError, match="division by zero"):
        one.copy_out("select 1 / (50000 - i) from generate_series(1, 60000) i", chunks.append)
    assert b"".join(chunks).startswith(b"0\n")
    assert one.fetchval("select 1") == 1


@pytest.mark.parametrize("good", [0, 1])
def test_a_sink_that_raises_ends_the_copy(one: Database, good: int) -> None:
    calls = []

    def sink(data: bytes) -> None:
        calls.append(len(data))
        if len(calls) > good:
            raise Broken

    with pytest.raises(Broken):
        one.copy_out("select repeat('x', 1000) from generate_series(1, 20000)", sink)
    assert len(calls) == good + 1
    assert one.fetchval("select 1") == 1


@pytest.mark.parametrize("sink", [5, None, Path("/nowhere/at/all")])
def test_a_sink_that_is_none_is_told(one: Database, sink: Any) -> None:
    with pytest.raises((UsageError, FileNotFoundError)):
        one.copy_out("select 1", sink)
    assert one.fetchval("select 1") == 1


def test_a_sink_may_not_use_the_connection_that_feeds_it(one: Database) -> None:
    with one.connection() as connection:

        def sink(data: bytes) -> None:
            connection.execute("select 1")

        with pytest.raises(UsageError, match="a COPY is running on this connection"):
            connection.copy_out("select 1", sink)
    assert one.fetchval("select 1") == 1
