"""Habits from other libraries that mean something else here, or nothing: each is refused, with what to write."""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from stretto._async.database import AsyncDatabase
from stretto.codecs.makers import Row
from stretto.errors import DatabaseError, PoolTimeout, StatementTimeout, UsageError


class Pair(NamedTuple):
    a: str
    b: str


NO_ROWS: dict[str, Callable[[], Any]] = {
    "dict": lambda: {"a": "ada", "b": "x"},
    "UserDict": lambda: UserDict(a="ada", b="x"),
    "set": lambda: {"p", "q"},
    "frozenset": lambda: frozenset("pq"),
    "str": lambda: "ab",
    "bytes": lambda: b"ab",
    "bytearray": lambda: bytearray(b"ab"),
    "generator": lambda: (each for each in "ab"),
    "int": lambda: 1,
    "NoneType": lambda: None,
    "SimpleNamespace": lambda: SimpleNamespace(a="ada", b="x"),
}


@pytest.mark.parametrize("kind", NO_ROWS)
@pytest.mark.parametrize("verb", ["executemany", "fetchmany"])
async def test_a_row_of_parameters_without_order_or_of_keys_is_refused(
    one: AsyncDatabase, verb: str, kind: str
) -> None:
    await one.execute("create table p (a text, b text)")
    with pytest.raises(UsageError, match=rf"^row 1: a list or tuple of parameters, not {kind}$"):
        await getattr(one, verb)("insert into p values ($1, $2)", [("a", "b"), NO_ROWS[kind]()])
    assert await one.fetch("select * from p") == []


@pytest.mark.parametrize("rows", [5, None, len], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("verb", ["executemany", "fetchmany"])
async def test_rows_that_cannot_be_gone_through_are_refused(one: AsyncDatabase, verb: str, rows: Any) -> None:
    with pytest.raises(UsageError, match=rf"^rows: an iterable of lists or tuples, not {type(rows).__name__}$"):
        await getattr(one, verb)("select $1, $2", rows)


async def test_what_the_rows_raise_themselves_is_raised(one: AsyncDatabase) -> None:
    with pytest.raises(TypeError, match=r"^unsupported operand"):
        await one.executemany("select $1::int", ((i + "a",) for i in (1, 2)))  # type: ignore[operator]  # the mistake


async def test_all_that_has_its_values_in_order_is_a_row_of_parameters(one: AsyncDatabase) -> None:
    await one.execute("create table p (a text, b text)")
    own = await one.fetchrow("select 'of a', 'query'")
    assert own is not None
    rows = [("a", "tuple"), ["a", "list"], Pair("named", "tuple"), own, Row(x="made", y="row"), deque(("a", "deque"))]
    await one.executemany("insert into p values ($1, $2)", rows)
    assert await one.fetch("select * from p") == [tuple(row) for row in rows]


# constructor's arguments, text
BAD_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"connections": "5"}, "connections: a whole number, not str"),
    ({"connections": 2.5}, "connections: a whole number, not float"),
    ({"connections": True}, "connections: a whole number, not bool"),
    ({"connections": None}, "connections: a whole number, not NoneType"),
    ({"connections": 0}, "connections=0: at least one"),
    ({"queue": "5"}, "queue: a whole number, not str"),
    ({"queue": -1}, "queue=-1: at least one"),
    ({"timeout": "5"}, "timeout: a number of seconds, or None, not str"),
    ({"acquire_timeout": "5"}, "acquire_timeout: a number of seconds, or None, not str"),
    ({"max_idle": "5"}, "max_idle: a number of seconds, or None, not str"),
    ({"max_lifetime": timedelta(1)}, "max_lifetime: a number of seconds, or None, not timedelta"),
    ({"slow": True}, "slow: a number of seconds, or None, not bool"),
    ({"leak_detection": "5"}, "leak_detection: a number of seconds, or None, not str"),
]


@pytest.mark.parametrize(("keywords", "text"), BAD_ARGUMENTS, ids=lambda value: str(value)[:30])
async def test_a_database_wants_numbers(keywords: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}$"):
        AsyncDatabase("postgresql://localhost", **keywords)


BAD_CALLS: dict[str, Callable[..., Any]] = {
    "fetch": lambda verbs: verbs.fetch("select 1", timeout="5"),
    "executemany": lambda verbs: verbs.executemany("select $1::int", [(1,)], timeout="5"),
    "transact": lambda verbs: verbs.transact(lambda: None, timeout="5"),
}
ENDLESS = (float("nan"), float("inf"), 1e300)


@pytest.mark.parametrize("call", BAD_CALLS)
async def test_a_timeout_that_is_no_number_is_refused_and_hurts_nobody_else(one: AsyncDatabase, call: str) -> None:
    text = "^timeout: a number of seconds, or None, not str$"
    for _ in range(2):
        with pytest.raises(UsageError, match=text):
            await BAD_CALLS[call](one)
    async with one.connection() as connection:
        with pytest.raises(UsageError, match=text):
            await BAD_CALLS[call](connection)
        assert await connection.fetchval("select 1") == 1
    assert await one.fetchval("select 1", timeout=Fraction(30)) == 1


async def test_so_is_a_transactions(one: AsyncDatabase) -> None:
    text = "^timeout: a number of seconds, or None, not str$"
    with pytest.raises(UsageError, match=text):
        one.transaction(timeout="5")  # type: ignore[arg-type]  # the mistake
    async with one.transaction() as transaction:
        for verbs in (transaction, one, transaction):
            with pytest.raises(UsageError, match=text):
                await verbs.fetch("select 1", timeout="5")  # type: ignore[call-overload]  # the mistake
            assert await verbs.fetchval("select 1") == 1


@pytest.mark.parametrize("seconds", ENDLESS)
async def test_a_timeout_that_never_comes_is_refused(one: AsyncDatabase, seconds: float) -> None:
    with pytest.raises(UsageError, match=r"^timeout: a finite number of seconds, not .*; None is no limit$"):
        await one.fetchval("select 1", timeout=seconds)
    async with one.connection() as connection:
        for call in (connection.fetchval, connection.execute):
            with pytest.raises(UsageError, match="a finite number of seconds"):
                await call("select 1", timeout=seconds)
        with pytest.raises(UsageError, match="a finite number of seconds"):
            async for _ in connection.notifications(timeout=seconds):
                pass
        assert await connection.fetchval("select 1") == 1
    async with one.transaction() as transaction:
        for verbs in (transaction, one, transaction.final):
            with pytest.raises(UsageError, match="a finite number of seconds"):
                await verbs.fetchval("select 1", timeout=seconds)
        assert await one.fetchval("select 1", timeout=1e6) == 1


async def test_a_timeout_below_zero_has_passed(one: AsyncDatabase) -> None:
    with pytest.raises((StatementTimeout, PoolTimeout)):
        await one.fetchval("select 1", timeout=-1.0)
    assert await one.fetchval("select 1") == 1


@pytest.mark.parametrize(("batch", "text"), [("5", "not str"), (2.0, "not float"), (True, "not bool"), (0, "at least")])
async def test_a_batch_is_a_count(one: AsyncDatabase, batch: Any, text: str) -> None:
    async with one.connection() as connection:
        with pytest.raises(UsageError, match=f"^batch.*{text}"):
            async for _ in connection.stream("select 1", batch=batch):
                pass
        assert await connection.fetchval("select 1") == 1
    with pytest.raises(UsageError, match=f"^batch.*{text}"):
        async for _ in one.stream("select 1", batch=batch):
            pass


async def test_a_column_is_a_number(one: AsyncDatabase) -> None:
    for column in ("a", None, 1.0):
        with pytest.raises(UsageError, match=rf"^column: its number, from 0, not {type(column).__name__}; "):
            await one.fetchval("select 1 as a, 2 as b", column=column)  # type: ignore[call-overload]  # the mistake
    assert await one.fetchval("select 1 as a, 2 as b", column=1) == 2
    assert await one.fetchval("select 1 as a, 2 as b", column=True) == 2


# SQL, whether the hint is right
PLACEHOLDERS = [
    ("select 1 from t where id=%s", True),
    ("insert into t values (%s, %s)", True),
    ("select 5 %s", True),
    ("select %(name)s", True),
    ("select * from t where id=%(name)s", True),
    ("select * from t where id = :id", True),
    ("select * from t where id=? and id=?", True),
    ("insert into t values (?, ?)", True),
    ("select * from t where id = ?", True),
    ("select '{}'::jsonb ? 'a', nope from t", False),
    ("select id ? 'a' from t", False),
    ("select (array[1])[1:nope] from t", False),
    ("select nope::text", False),
    ("select 1 where nope like '%s'", False),
    ("select 1 %", False),
    ("select '%s', $1::int, 1 / 0", False),
]


@pytest.mark.parametrize(("sql", "hint"), PLACEHOLDERS, ids=[sql for sql, _ in PLACEHOLDERS])
async def test_other_drivers_parameters_get_a_hint(one: AsyncDatabase, sql: str, hint: bool) -> None:
    await one.execute("create table t (id int)")
    for verb in ("fetch", "execute"):
        with pytest.raises(DatabaseError) as caught:
            await getattr(one, verb)(sql, 1)
        assert ("HINT: parameters are $1, $2 ..., and their values follow the SQL" in str(caught.value)) is hint
        assert ("parameters are $1" in (caught.value.hint or "")) is hint


async def test_what_connection_gives_is_to_be_entered(one: AsyncDatabase) -> None:
    block: Any = one.connection()
    with pytest.raises(AttributeError, match=r"^fetch: 'with db.connection\(\) as connection:' reserves"):
        block.fetch("select 1")
    with pytest.raises(UsageError, match=r"^'with db.connection\(\) as connection:' reserves"):
        block.__await__()
    assert not hasattr(block, "cursor")
    async with block as connection:
        assert await connection.fetchval("select 1") == 1


async def test_names_of_other_libraries_say_what_is_written_here(one: AsyncDatabase) -> None:
    async with one.connection() as connection, one.transaction() as transaction:
        for owner, name, text in (
            (one, "acquire", "has no acquire: 'with db.connection"),
            (one, "cursor", "has no cursor: fetch"),
            (connection, "commit", "has no commit: 'with db.transaction"),
            (connection, "prepare", "has no prepare: statements are prepared by themselves"),
            (connection, "add_listener", "has no add_listener: 'for notification in db.listen"),
            (transaction, "start", "has no start: 'with db.transaction"),
        ):
            with pytest.raises(AttributeError, match=text):
                getattr(owner, name)
            assert not hasattr(owner, name)
            assert name not in dir(owner)
            assert "fetch" in dir(owner)
        habits: Any = connection
        with pytest.raises(AttributeError, match=r"has no autocommit: each statement commits by itself.*transaction"):
            habits.autocommit = False
        habits = one
        with pytest.raises(AttributeError, match="has no connections: it is an argument of the constructor"):
            habits.connections = 3
