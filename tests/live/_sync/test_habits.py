# Generated from tests/live/_async/test_habits.py by tools/make_sync.py: do not edit.
"""Habits from other libraries that mean something else here, or nothing: each is refused, with what to write."""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from stretto._sync.database import Database
from stretto.codecs.makers import Row
from stretto.errors import UsageError


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
