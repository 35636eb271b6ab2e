"""The verbs that ask: fetch and its kin, execute, executemany, fetchmany, batch; on a Database and on a Connection."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from stretto._async.database import AsyncDatabase
from stretto.codecs.makers import Row
from stretto.errors import DecodeError, EncodeError, IntegrityError, UsageError
from stretto.sqlstate import DivisionByZero, UniqueViolation

# --- fetch ------------------------------------------------------------------------------------------------------------


async def test_fetch_gives_rows_that_are_tuples_with_names(db: AsyncDatabase) -> None:
    rows = await db.fetch("select i as number, i::text || '!' as text from generate_series(1, 3) i")
    assert rows == [(1, "1!"), (2, "2!"), (3, "3!")]
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0]["text"] == "1!"
    assert rows[0]._asdict() == {"number": 1, "text": "1!"}
    assert isinstance(rows[0], Row)


async def test_fetch_of_nothing_is_an_empty_list(db: AsyncDatabase) -> None:
    assert await db.fetch("select 1 where false") == []
    assert await db.fetch("create table t (id int)") == []
    assert await db.fetch("") == []


async def test_rows_without_columns_are_rows(db: AsyncDatabase) -> None:
    assert await db.fetch("select from generate_series(1, 3)") == [(), (), ()]


async def test_fetchrow_gives_the_first_row_or_none(db: AsyncDatabase) -> None:
    assert await db.fetchrow("select i, i * i from generate_series(2, 5) i") == (2, 4)
    assert await db.fetchrow("select 1 where false") is None


async def test_fetchval_gives_one_value_or_none(db: AsyncDatabase) -> None:
    assert await db.fetchval("select 7") == 7
    assert await db.fetchval("select 1, 'two', 3.5", column=1) == "two"
    assert await db.fetchval("select 1, 'two', 3.5", column=-1) == Decimal("3.5")
    assert await db.fetchval("select null::int") is None
    assert await db.fetchval("select 1 where false", column=5) is None
    with pytest.raises(UsageError, match="column=2, but the statement gives 1 columns"):
        await db.fetchval("select 1", column=2)
    assert await db.fetchval("select 8") == 8


async def test_arguments_travel_by_their_own_types(db: AsyncDatabase) -> None:
    moment = datetime(2024, 2, 29, 12, 30)
    row = await db.fetchrow(
        "select $1::int8, $2::text, $3::timestamp, $4::numeric, $5::bytea, $6::int[], $7::jsonb, $8::bool",
        *(2**40, "é\n'", moment, Decimal("1.10"), b"\0\xff", [1, None], {"a": [1]}, None),
    )
    assert row == (2**40, "é\n'", moment, Decimal("1.10"), b"\0\xff", [1, None], {"a": [1]}, None)


async def test_a_large_result_comes_whole_and_in_order(db: AsyncDatabase) -> None:
    rows = await db.fetch("select i, repeat('x', i % 100) from generate_series(1, 30000) i")
    assert [row[0] for row in rows] == list(range(1, 30001))
    assert all(len(row[1]) == row[0] % 100 for row in rows)


async def test_large_values_go_both_ways(db: AsyncDatabase) -> None:
    blob = bytes(range(256)) * 16384  # 4 MiB: more than any socket's buffer
    assert await db.fetchval("select $1::bytea || $1::bytea", blob) == blob + blob


async def test_both_sides_may_have_much_to_say(db: AsyncDatabase) -> None:
    """The server answers before it has read all: whoever only writes, and does not read, waits for ever."""
    rows = await db.fetchmany("select $1::int, repeat('y', 10000)", [(i,) for i in range(2000)])
    assert [row[0] for row in rows] == list(range(2000))


# --- into -------------------------------------------------------------------------------------------------------------


@dataclass
class AsDataclass:
    id: int
    name: str | None


@dataclass(frozen=True, slots=True)
class AsFrozen:
    name: str | None
    id: int


@attrs.define
class AsAttrs:
    id: int
    name: str | None


class AsStruct(msgspec.Struct):
    id: int
    name: str | None


class AsNamedTuple(NamedTuple):
    id: int
    name: str | None


class AsTypedDict(TypedDict):
    id: int
    name: str | None


class AsPydantic(pydantic.BaseModel):
    id: int
    name: str | None


class Plain:
    def __init__(self, id: int, name: str | None) -> None:
        self.id = id
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and vars(self) == vars(other)


TARGETS: list[tuple[Any, Callable[[int, str | None], Any]]] = [
    (AsDataclass, AsDataclass),
    (AsFrozen, lambda id, name: AsFrozen(name, id)),
    (AsAttrs, AsAttrs),
    (AsStruct, AsStruct),
    (AsNamedTuple, AsNamedTuple),
    (AsTypedDict, lambda id, name: {"id": id, "name": name}),
    (AsPydantic, lambda id, name: AsPydantic(id=id, name=name)),
    (Plain, Plain),
    (dict, lambda id, name: {"id": id, "name": name}),
    (tuple, lambda id, name: (id, name)),
    (tuple[int, str | None], lambda id, name: (id, name)),
    (Row, lambda id, name: (id, name)),
    (None, lambda id, name: (id, name)),
]
ITEMS = "select * from (values (1, 'one'), (2, null)) v (id, name)"


@pytest.mark.parametrize(("target", "make"), TARGETS, ids=lambda value: getattr(value, "__name__", str(value)))
async def test_into_makes_objects(db: AsyncDatabase, target: Any, make: Callable[[int, str | None], Any]) -> None:
    wanted = [make(1, "one"), make(2, None)]
    found = await db.fetch(ITEMS, into=target)
    assert found == wanted
    assert [type(item) for item in found if target is not Row and target is not None] == [
        type(item) for item in wanted if target is not Row and target is not None
    ]
    assert await db.fetchrow(ITEMS, into=target) == wanted[0]
    assert await db.fetchrow(ITEMS + " where false", into=target) is None
    assert await db.fetchmany(f"{ITEMS} where id = $1", [(2,), (1,)], into=target) == wanted[::-1]
    assert [item async for item in db.stream(ITEMS, into=target)] == wanted
    async with db.batch() as batch:
        batch.add(ITEMS, into=target)
    assert batch.results[0].rows == wanted


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


SCALARS: list[tuple[Any, str, Any]] = [
    (int, "select 7", 7),
    (str, "select 'x'", "x"),
    (Decimal, "select 1.50", Decimal("1.50")),
    (list, "select array[1, 2]", [1, 2]),
    (list[int], "select array[1, 2]", [1, 2]),
    (Colour, "select 'blue'", Colour.BLUE),
    (int | None, "select null::int", None),
    (AsDataclass, "select row(1, 'one')::item", AsDataclass(1, "one")),
    (list[AsDataclass], "select array[row(1, 'one')::item, null]", [AsDataclass(1, "one"), None]),
]


@pytest.mark.parametrize(("target", "sql", "value"), SCALARS, ids=[str(target) for target, _, _ in SCALARS])
async def test_into_takes_a_single_column(db: AsyncDatabase, target: Any, sql: str, value: Any) -> None:
    await db.execute("create type item as (id int, name text)")
    assert await db.fetch(sql, into=target) == [value]


async def test_a_class_that_does_not_fit_is_told_before_anything_is_sent(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    with pytest.raises(DecodeError, match="Missing: 'name'"):
        await db.fetch("insert into t values (1) returning id", into=AsDataclass)
    with pytest.raises(UsageError, match="into="):
        await db.fetch("insert into t values (1) returning id", into="a str")
    assert await db.fetchval("select count(*) from t") == 0


async def test_a_class_that_raises_hurts_only_its_caller(one: AsyncDatabase) -> None:
    class Picky:
        def __init__(self, i: int) -> None:
            if i == 29000:
                raise KeyError("picky")

    for _ in range(3):
        with pytest.raises(KeyError, match="picky"):
            await one.fetch("select i from generate_series(1, 60000) i", into=Picky)
        assert await one.fetchval("select 5") == 5


# --- execute ----------------------------------------------------------------------------------------------------------

TAGS = [
    ("create table t (id int)", (), "CREATE TABLE"),
    ("insert into u values (1), (2)", (), "INSERT 0 2"),
    ("insert into u values ($1), ($2)", (1, 2), "INSERT 0 2"),
    ("update u set id = id + $1", (1,), "UPDATE 1"),
    ("delete from u", (), "DELETE 1"),
    ("select 1", (), "SELECT 1"),
    ("select from generate_series(1, $1)", (3,), "SELECT 3"),
    ("set local work_mem = '1MB'; select 1; update u set id = 0", (), "UPDATE 1"),
    ("create table w (id int); drop table w", (), "DROP TABLE"),
    ("vacuum u", (), "VACUUM"),
    ("", (), ""),
    (";", (), ""),
    ("-- nothing", (), ""),
]


@pytest.mark.parametrize(("sql", "args", "tag"), TAGS)
@pytest.mark.filterwarnings("error")
async def test_execute_gives_the_command_tag(db: AsyncDatabase, sql: str, args: tuple[Any, ...], tag: str) -> None:
    await db.execute("create table u (id int); insert into u values (0)")
    assert await db.execute(sql, *args) == tag


async def test_several_statements_have_one_fate(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int primary key)")
    with pytest.raises(UniqueViolation):
        await db.execute("insert into t values (1); insert into t values (2); insert into t values (1)")
    assert await db.fetchval("select count(*) from t") == 0


async def test_rows_that_nobody_wants_are_thrown_away(db: AsyncDatabase) -> None:
    assert await db.execute("select repeat('x', 1000) from generate_series(1, 20000)") == "SELECT 20000"
    assert await db.execute("select repeat('x', 1000) from generate_series(1, $1)", 20000) == "SELECT 20000"


# --- many -------------------------------------------------------------------------------------------------------------


async def test_executemany_takes_tuples_lists_and_generators(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int, name text)")

    def rows() -> Iterator[list[Any]]:
        for i in range(3, 2003):
            yield [i, str(i)]

    await db.executemany("insert into t values ($1, $2)", [(1, "a"), [2, None]])
    await db.executemany("insert into t values ($1, $2)", rows())
    assert await db.fetchrow("select count(*), sum(id), count(name) from t") == (2002, sum(range(2003)), 2001)


async def test_executemany_of_nothing_says_nothing(db: AsyncDatabase) -> None:
    await db.executemany("this is not even SQL", [])
    assert await db.fetchmany("nor is this", iter(())) == []


async def test_one_bad_row_leaves_nothing(one: AsyncDatabase) -> None:
    await one.execute("create table t (id int primary key)")
    with pytest.raises(UniqueViolation) as caught:
        await one.executemany("insert into t values ($1)", [(i % 700,) for i in range(1000)])
    assert caught.value.query == "insert into t values ($1)"
    with pytest.raises(IntegrityError):
        await one.fetchmany("insert into t values ($1) returning id", [(1,), (2,), (1,), (3,)])
    with pytest.raises(EncodeError, match=r"row 2, value 1 \(int4\)"):
        await one.executemany("insert into t values ($1)", [(1,), (2,), ("three",)])
    with pytest.raises(UsageError, match="row 1: the statement has 1 parameter"):
        await one.executemany("insert into t values ($1)", [(1,), (2, 3)])
    assert await one.fetchval("select count(*) from t") == 0


async def test_fetchmany_gives_the_rows_of_all_in_order(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int generated always as identity, name text)")
    sql = "insert into t (name) values ($1), ($1 || '!') returning name, id"
    assert await db.fetchmany(sql, [("a",), ("b",)]) == [("a", 1), ("a!", 2), ("b", 3), ("b!", 4)]


async def test_a_source_of_rows_that_raises_sends_nothing(one: AsyncDatabase) -> None:
    await one.execute("create table t (id int)")
    with pytest.raises(ZeroDivisionError):
        await one.executemany("insert into t values ($1)", ((1 // i,) for i in (1, 1, 0)))
    assert await one.fetchval("select count(*) from t") == 0


# --- batch ------------------------------------------------------------------------------------------------------------


async def test_a_batch_has_a_result_for_each_statement(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    async with db.batch() as batch:
        batch.add("insert into t select generate_series(1, $1)", 3)
        batch.add("select id from t order by id", into=int)
        batch.add("delete from t where id > $1 returning id", 1)
        batch.add("select 'a' as x where false")
    assert [result.tag for result in batch.results] == ["INSERT 0 3", "SELECT 3", "DELETE 2", "SELECT 0"]
    assert [result.rows for result in batch.results] == [[], [1, 2, 3], [(2,), (3,)], []]
    assert await db.fetchval("select count(*) from t") == 1


async def test_a_batch_has_one_fate_and_names_what_failed(one: AsyncDatabase) -> None:
    await one.execute("create table t (id int)")
    with pytest.raises(DivisionByZero) as caught:
        async with one.batch() as batch:
            batch.add("insert into t values (1)")
            batch.add("select 1 / $1::int", 0)
            batch.add("insert into t values (2)")
    assert caught.value.query == "select 1 / $1::int"
    assert batch.results == []
    assert await one.fetchval("select count(*) from t") == 0


async def test_a_batch_that_is_left_by_an_exception_sends_nothing(db: AsyncDatabase) -> None:
    await db.execute("create table t (id int)")
    with pytest.raises(ZeroDivisionError):
        async with db.batch() as batch:
            batch.add("insert into t values (1)")
            raise ZeroDivisionError
    assert await db.fetchval("select count(*) from t") == 0


async def test_an_empty_batch_has_no_results(db: AsyncDatabase) -> None:
    async with db.batch() as batch:
        pass
    assert batch.results == []


async def test_a_batch_may_have_the_same_statement_many_times(db: AsyncDatabase) -> None:
    async with db.batch() as batch:
        for i in range(300):
            batch.add("select $1::int + 1", i)
    assert [result.rows for result in batch.results] == [[(i + 1,)] for i in range(300)]


async def test_a_batch_may_have_more_statements_than_a_connection_keeps(db: AsyncDatabase) -> None:
    for _ in range(2):
        async with db.batch() as batch:
            for i in range(300):
                batch.add(f"select {i} + $1::int", 1)
        assert [result.rows for result in batch.results] == [[(i + 1,)] for i in range(300)]


async def test_more_statements_than_a_connection_keeps(one: AsyncDatabase) -> None:
    for _ in range(2):
        for i in range(300):
            assert await one.fetchval(f"select {i} + $1::int", 1) == i + 1
    assert await one.fetchval("select count(*) from pg_prepared_statements") <= 256
