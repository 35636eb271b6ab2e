"""A block that is left while a nested one is still open, which a generator holds: nobody waits for it for ever."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from stretto._async.database import AsyncDatabase
from stretto.errors import TransactionClosed, UsageError

INSERT = "insert into t values ($1)"
SEEN = "select array_agg(i order by i) from t"
ROWS = "select generate_series(1, 5000)"


class Broken(Exception):
    """What a body raises."""


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is given back is not given back by Python's cyclic collector."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def idle(db: Any) -> AsyncIterator[int]:
    async with db.transaction():
        yield 1
        await db.execute(INSERT, 8)


async def writing(db: Any) -> AsyncIterator[int]:
    async with db.transaction():
        await db.execute(INSERT, 7)
        yield 1
        await db.execute(INSERT, 8)


async def streaming(db: Any) -> AsyncIterator[int]:
    async with db.transaction():
        async for number in db.stream(ROWS, into=int):
            yield number
        await db.execute(INSERT, 8)


async def deeper(db: Any) -> AsyncIterator[int]:
    async with db.transaction():
        await db.execute(INSERT, 7)
        async with db.transaction():
            yield 1
            await db.execute(INSERT, 8)


HELD: dict[str, Callable[..., Any]] = {"idle": idle, "writing": writing, "streaming": streaming, "deeper": deeper}
of_each_kind = pytest.mark.parametrize("kind", HELD)


async def held(db: Any, number: int, kind: str, error: Exception | None = None) -> Any:
    """What holds a nested block of one that was left."""
    generator: Any = None
    with suppress(UsageError, Broken):
        async with db.transaction():
            await db.execute(INSERT, number)
            generator = HELD[kind](db)
            await anext(generator)
            if error is not None:
                raise error
    return generator


@pytest.mark.usefixtures("no_collector")
@of_each_kind
@pytest.mark.parametrize("begun", [False, True])
async def test_a_block_that_a_generator_holds_open_is_told_and_all_of_it_rolled_back(
    one: AsyncDatabase, outside: psycopg.Connection[Any], t: str, kind: str, begun: bool
) -> None:
    with pytest.raises(UsageError, match=r"nested one opened at .*test_transactions_held.py:[0-9]+ was still open"):
        async with one.transaction():
            if begun:
                await one.execute(INSERT, 1)
            generator: Any = HELD[kind](one)
            await anext(generator)
    assert one.stats().held == 0
    assert outside.execute(SEEN).fetchone() == (None,)
    await generator.aclose()
    await one.execute(INSERT, 2)
    assert await one.fetchval(SEEN) == [2]


@pytest.mark.usefixtures("no_collector")
@of_each_kind
async def test_a_body_that_fails_is_told_of_its_own_error(one: AsyncDatabase, t: str, kind: str) -> None:
    with pytest.raises(Broken):
        async with one.transaction():
            await one.execute(INSERT, 1)
            generator: Any = HELD[kind](one)
            await anext(generator)
            raise Broken
    assert one.stats().held == 0
    await generator.aclose()
    assert await one.fetchval(SEEN) is None


@of_each_kind
async def test_a_generator_that_goes_on_behind_its_transaction_is_told(one: AsyncDatabase, t: str, kind: str) -> None:
    generator = await held(one, 1, kind)
    with pytest.raises(TransactionClosed):
        async for _ in generator:
            pass
    await one.execute(INSERT, 2)
    assert await one.fetchval(SEEN) == [2]


@of_each_kind
@pytest.mark.parametrize("fails", [False, True])
async def test_a_nested_block_that_a_generator_holds_open_is_rolled_back_alone(
    one: AsyncDatabase, t: str, kind: str, fails: bool
) -> None:
    async with one.transaction():
        await one.execute(INSERT, 1)
        generator = await held(one, 2, kind, Broken() if fails else None)
        with pytest.raises(TransactionClosed):  # this is inside the generator's block still, whose own has ended
            await one.execute(INSERT, 3)
        await generator.aclose()
        await one.execute(INSERT, 3)
        async with one.transaction():
            await one.execute(INSERT, 4)
    assert await one.fetchval(SEEN) == [1, 3, 4]


async def test_a_transaction_of_a_connection_is_told_too(one: AsyncDatabase, t: str) -> None:
    async with one.connection() as connection:
        generator: Any = writing(connection)
        with pytest.raises(UsageError, match="was still open"):
            async with connection.transaction():
                await anext(generator)
        await generator.aclose()
        await connection.execute(INSERT, 1)
    assert await one.fetchval(SEEN) == [1]


async def test_a_block_that_was_entered_by_hand_and_never_left(one: AsyncDatabase, t: str) -> None:
    inner = one.transaction()
    with pytest.raises(UsageError, match="was still open"):
        async with one.transaction():
            await one.execute(INSERT, 1)
            await inner.__aenter__()
    with pytest.raises(TransactionClosed):
        await inner.__aexit__(None, None, None)
    assert await one.fetchval(SEEN) is None


@of_each_kind
async def test_a_generator_that_nobody_has_any_more_is_closed_before_the_block_ends(
    one: AsyncDatabase, t: str, kind: str
) -> None:
    async with one.transaction():
        await one.execute(INSERT, 1)
        async for number in HELD[kind](one):
            assert number == 1
            break
    assert await one.fetchval(SEEN) == [1]
