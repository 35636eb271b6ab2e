"""Habits from other libraries that mean something else here, or nothing: each is refused, with what to write."""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from stretto._async.database import AsyncDatabase
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
