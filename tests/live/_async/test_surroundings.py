"""Blocks and deadlines that are not left in the order, or not in the place, in which they were entered."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

import stretto
from stretto.errors import StatementTimeout, TransactionClosed, UsageError
from stretto.flows.ambient import ambient

INSERT = "insert into {}.t values ($1)"


@pytest.fixture
def table(outside: psycopg.Connection[Any], schema: str) -> str:
    outside.execute(f"create table {schema}.t (n int)")
    return schema


def rows(outside: psycopg.Connection[Any], schema: str) -> list[int]:
    return [n for (n,) in outside.execute(f"select n from {schema}.t order by n")]


async def block(database: Any) -> AsyncIterator[None]:
    async with database.transaction():
        yield


async def timed(seconds: float) -> AsyncIterator[None]:
    with stretto.deadline(seconds):
        yield


async def apart() -> AsyncIterator[None]:
    with stretto.detached():
        yield


async def left(database: Any, transaction: Any) -> None:
    with contextlib.suppress(UsageError):  # in another run() than it was begun in
        await transaction.__aexit__(None, None, None)


async def test_a_generators_block_that_ends_inside_ours_leaves_us_inside_ours(
    open_db: Callable[..., Any], outside: psycopg.Connection[Any], table: str
) -> None:
    db, log = open_db(), open_db()
    generator: Any = block(log)
    await anext(generator)
    await log.execute(INSERT.format(table), 1)
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction():
            await db.execute(INSERT.format(table), 2)
            await generator.aclose()
            await db.execute(INSERT.format(table), 3)
            await log.execute(INSERT.format(table), 4)  # outside of what was rolled back
            raise ZeroDivisionError
    await db.execute(INSERT.format(table), 5)
    assert rows(outside, table) == [4, 5]
    assert ambient() is None


async def test_two_generators_that_are_closed_in_the_order_in_which_they_began(
    open_db: Callable[..., Any], outside: psycopg.Connection[Any], table: str
) -> None:
    databases = [open_db() for _ in range(3)]
    generators: list[Any] = [block(database) for database in databases]
    for generator in generators:
        await anext(generator)
    for number, generator in enumerate(generators):
        await databases[-1].execute(INSERT.format(table), number)
        await generator.aclose()
    assert rows(outside, table) == []  # all of it was the last one's
    assert ambient() is None
    for number, database in enumerate(databases):
        await database.execute(INSERT.format(table), number)
    assert rows(outside, table) == [0, 1, 2]


async def test_a_block_that_is_left_elsewhere_is_over_where_it_was_opened(
    open_db: Callable[..., Any], outside: psycopg.Connection[Any], table: str, beside: Any
) -> None:
    """As the event loop closes a generator that was forgotten: by another task."""
    db = open_db()
    transaction = db.transaction()
    await transaction.__aenter__()
    await db.execute(INSERT.format(table), 1)
    await beside.result(beside.start(left, db, transaction))
    if ambient() is not None and not ambient().over:
        await left(db, transaction)
    await db.execute(INSERT.format(table), 2)
    async with db.transaction() as another:
        await another.execute(INSERT.format(table), 3)
    assert rows(outside, table) == [1, 2, 3]
    with stretto.detached():
        assert await db.fetchval("select 1") == 1


async def test_what_inherited_a_block_is_refused_after_it(open_db: Callable[..., Any]) -> None:
    """The end of a block is no autocommit for what was started in it."""
    db = open_db()
    async with db.transaction():
        await db.fetchval("select 1")
        inherited = contextvars.copy_context()
    assert await db.fetchval("select 1") == 1
    assert inherited.run(ambient) is not None
    now = inherited.run(ambient)
    assert now is not None
    assert now.over


@pytest.mark.parametrize("outer", [0.0, 30.0])
async def test_a_deadline_that_ends_inside_another_is_over(outer: float, open_db: Callable[..., Any]) -> None:
    db = open_db()
    assert await db.fetchval("select 1") == 1
    first: Any = timed(outer)
    await anext(first)
    second: Any = timed(60.0)
    await anext(second)
    if not outer:
        with pytest.raises(StatementTimeout):
            await db.fetchval("select 1")
    await first.aclose()
    assert await db.fetchval("select 1") == 1
    await second.aclose()
    assert ambient() is None


async def test_a_deadline_goes_on_when_a_block_in_it_began_before(
    open_db: Callable[..., Any], outside: psycopg.Connection[Any], table: str
) -> None:
    db = open_db()
    generator: Any = block(db)
    await anext(generator)
    with stretto.deadline(0.0):
        await generator.aclose()
        with pytest.raises(StatementTimeout):
            await db.fetchval("select 1")
    assert await db.fetchval("select 1") == 1
    assert ambient() is None


async def test_what_was_detached_and_ends_late_comes_back_to_its_block(
    open_db: Callable[..., Any], outside: psycopg.Connection[Any], table: str
) -> None:
    db = open_db()
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction():
            generator: Any = apart()
            await anext(generator)
            with stretto.deadline(60.0):
                await db.execute(INSERT.format(table), 1)
                await generator.aclose()
                await db.execute(INSERT.format(table), 2)
            raise ZeroDivisionError
    assert rows(outside, table) == [1]
    assert ambient() is None


async def test_statements_behind_the_last_one_of_a_block_are_refused_in_it(open_db: Callable[..., Any]) -> None:
    db = open_db()
    async with db.transaction():
        await db.final.fetchval("select 1")
        with pytest.raises(TransactionClosed):
            await db.fetchval("select 2")
    assert await db.fetchval("select 3") == 3


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "1", True, None])
async def test_what_is_no_number_of_seconds_is_refused(open_db: Callable[..., Any], seconds: Any) -> None:
    db = open_db()
    with pytest.raises(UsageError, match="seconds"), stretto.deadline(seconds):
        raise AssertionError("it was entered")
    assert ambient() is None
    if seconds is not None:
        with pytest.raises(UsageError, match="timeout: "):
            db.transaction(timeout=seconds)
        with pytest.raises(UsageError, match="timeout: "):
            await db.transact(lambda: None, timeout=seconds)
        for name in ("timeout", "acquire_timeout"):
            with pytest.raises(UsageError, match=f"^{name}: "):
                open_db(**{name: seconds})
