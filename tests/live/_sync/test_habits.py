# Generated from tests/live/_async/test_habits.py by tools/make_sync.py: do not edit.
"""Habits from other libraries that mean something else here, or nothing: each is refused, with what to write."""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from stretto._sync.database import Database
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
def test_a_row_of_parameters_without_order_or_of_keys_is_refused(one: Database, verb: str, kind: str) -> None:
    one.execute("create table p (a text, b text)")
    with pytest.raises(UsageError, match=rf"^row 1: a list or tuple of parameters, not {kind}$"):
        getattr(one, verb)("insert into p values ($1, $2)", [("a", "b"), NO_ROWS[kind]()])
    assert one.fetch("select * from p") == []


@pytest.mark.parametrize("rows", [5, None, len], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("verb", ["executemany", "fetchmany"])
def test_rows_that_cannot_be_gone_through_are_refused(one: Database, verb: str, rows: Any) -> None:
    with pytest.raises(UsageError, match=rf"^rows: an iterable of lists or tuples, not {type(rows).__name__}$"):
        getattr(one, verb)("select $1, $2", rows)


def test_what_the_rows_raise_themselves_is_raised(one: Database) -> None:
    with pytest.raises(TypeError, match=r"^unsupported operand"):
        one.executemany("select $1::int", ((i + "a",) for i in (1, 2)))  # type: ignore[operator]  # the mistake


def test_all_that_has_its_values_in_order_is_a_row_of_parameters(one: Database) -> None:
    one.execute("create table p (a text, b text)")
    own = one.fetchrow("select 'of a', 'query'")
    assert own is not None
    rows = [("a", "tuple"), ["a", "list"], Pair("named", "tuple"), own, Row(x="made", y="row"), deque(("a", "deque"))]
    one.executemany("insert into p values ($1, $2)", rows)
    assert one.fetch("select * from p") == [tuple(row) for row in rows]


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
def test_a_database_wants_numbers(keywords: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}$"):
        Database("postgresql://localhost", **keywords)


BAD_CALLS: dict[str, Callable[..., Any]] = {
    "fetch": lambda verbs: verbs.fetch("select 1", timeout="5"),
    "executemany": lambda verbs: verbs.executemany("select $1::int", [(1,)], timeout="5"),
    "transact": lambda verbs: verbs.transact(lambda: None, timeout="5"),
}
ENDLESS = (float("nan"), float("inf"), 1e300)


@pytest.mark.parametrize("call", BAD_CALLS)
def test_a_timeout_that_is_no_number_is_refused_and_hurts_nobody_else(one: Database, call: str) -> None:
    text = "^timeout: a number of seconds, or None, not str$"
    for _ in range(2):
        with pytest.raises(UsageError, match=text):
            BAD_CALLS[call](one)
    with one.connection() as connection:
        with pytest.raises(UsageError, match=text):
            BAD_CALLS[call](connection)
        assert connection.fetchval("select 1") == 1
    assert one.fetchval("select 1", timeout=Fraction(30)) == 1


def test_so_is_a_transactions(one: Database) -> None:
    text = "^timeout: a number of seconds, or None, not str$"
    with pytest.raises(UsageError, match=text):
        one.transaction(timeout="5")  # type: ignore[arg-type]  # the mistake
    with one.transaction() as transaction:
        for verbs in (transaction, one, transaction):
            with pytest.raises(UsageError, match=text):
                verbs.fetch("select 1", timeout="5")  # type: ignore[call-overload]  # the mistake
            assert verbs.fetchval("select 1") == 1


@pytest.mark.parametrize("seconds", ENDLESS)
def test_a_timeout_that_never_comes_is_refused(one: Database, seconds: float) -> None:
    with pytest.raises(UsageError, match=r"^timeout: a finite number of seconds, not .*; None is no limit$"):
        one.fetchval("select 1", timeout=seconds)
    with one.connection() as connection:
        for call in (connection.fetchval, connection.execute):
            with pytest.raises(UsageError, match="a finite number of seconds"):
                call("select 1", timeout=seconds)
        with pytest.raises(UsageError, match="a finite number of seconds"):
            for _ in connection.notifications(timeout=seconds):
                pass
        assert connection.fetchval("select 1") == 1
    with one.transaction() as transaction:
        for verbs in (transaction, one, transaction.final):
            with pytest.raises(UsageError, match="a finite number of seconds"):
                verbs.fetchval("select 1", timeout=seconds)
        assert one.fetchval("select 1", timeout=1e6) == 1


def test_a_timeout_below_zero_has_passed(one: Database) -> None:
    with pytest.raises((StatementTimeout, PoolTimeout)):
        one.fetchval("select 1", timeout=-1.0)
    assert one.fetchval("select 1") == 1


@pytest.mark.parametrize(("batch", "text"), [("5", "not str"), (2.0, "not float"), (True, "not bool"), (0, "at least")])
def test_a_batch_is_a_count(one: Database, batch: Any, text: str) -> None:
    with one.connection() as connection:
        with pytest.raises(UsageError, match=f"^batch.*{text}"):
            for _ in connection.stream("select 1", batch=batch):
                pass
        assert connection.fetchval("select 1") == 1
    with pytest.raises(UsageError, match=f"^batch.*{text}"):
        for _ in one.stream("select 1", batch=batch):
            pass


def test_a_column_is_a_number(one: Database) -> None:
    for column in ("a", None, 1.0):
        with pytest.raises(UsageError, match=rf"^column: its number, from 0, not {type(column).__name__}; "):
            one.fetchval("select 1 as a, 2 as b", column=column)  # type: ignore[call-overload]  # the mistake
    assert one.fetchval("select 1 as a, 2 as b", column=1) == 2
    assert one.fetchval("select 1 as a, 2 as b", column=True) == 2


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
def test_other_drivers_parameters_get_a_hint(one: Database, sql: str, hint: bool) -> None:
    one.execute("create table t (id int)")
    for verb in ("fetch", "execute"):
        with pytest.raises(DatabaseError) as caught:
            getattr(one, verb)(sql, 1)
        assert ("HINT: parameters are $1, $2 ..., and their values follow the SQL" in str(caught.value)) is hint
        assert ("parameters are $1" in (caught.value.hint or "")) is hint


def test_what_connection_gives_is_to_be_entered(one: Database) -> None:
    block: Any = one.connection()
    with pytest.raises(AttributeError, match=r"^fetch: 'with db.connection\(\) as connection:' reserves"):
        block.fetch("select 1")
    with pytest.raises(UsageError, match=r"^'with db.connection\(\) as connection:' reserves"):
        block.__await__()
    assert not hasattr(block, "cursor")
    with block as connection:
        assert connection.fetchval("select 1") == 1


def test_names_of_other_libraries_say_what_is_written_here(one: Database) -> None:
    with one.connection() as connection, one.transaction() as transaction:
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
