"""An interrupt or exit out of a user's code, wherever it is called: the caller has it, and the connection goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.support import until

from stretto._async.database import AsyncDatabase


class Raising:
    """Raises what it was made for, in whatever is called."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        raise self.error

    def rows(self) -> Iterator[tuple[int]]:
        yield (1,)
        yield (2,)
        raise self.error


async def encoder(db: AsyncDatabase, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=raising, decoder=str)
    await db.fetchval("select $1::mood", "fine")


async def decoder(db: AsyncDatabase, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=str, decoder=raising)
    await db.fetch("select 'fine'::mood from generate_series(1, 9)")


async def decoder_in_a_transaction(db: AsyncDatabase, raising: Raising) -> None:
    async with db.transaction():
        await db.execute("insert into t values (1)")
        await decoder(db, raising)


async def decoder_of_a_stream(db: AsyncDatabase, raising: Raising) -> None:
    db.set_type_codec("mood", encoder=str, decoder=raising)
    async with db.connection() as connection:
        async for _ in connection.stream("select 'fine'::mood from generate_series(1, 9)", batch=2):
            pass


async def maker(db: AsyncDatabase, raising: Raising) -> None:
    class Made:
        def __init__(self, n: int) -> None:
            raising()

    await db.fetch("select n from generate_series(1, 9) n", into=Made)


async def rows(db: AsyncDatabase, raising: Raising) -> None:
    await db.executemany("insert into t values ($1)", raising.rows())


async def copy_source(db: AsyncDatabase, raising: Raising) -> None:
    await db.copy_in("t", raising.rows())


async def copy_sink(db: AsyncDatabase, raising: Raising) -> None:
    await db.copy_out("select generate_series(1, 9)", raising)


async def notices(db: AsyncDatabase, raising: Raising) -> None:
    async with db.connection() as connection:
        connection.on_notice(raising)
        await connection.execute("do $$ begin raise notice 'one'; end $$")


async def body(db: AsyncDatabase, raising: Raising) -> None:
    async with db.transaction(), db.transaction():
        await db.execute("insert into t values (1)")
        raising()


async def transacted(db: AsyncDatabase, raising: Raising) -> None:
    async def work() -> None:
        await db.execute("insert into t values (1)")
        raising()

    await db.transact(work)


async def behind_rollback(db: AsyncDatabase, raising: Raising) -> None:
    async with db.transaction() as transaction:
        transaction.on_rollback(raising)
        await db.execute("insert into t values (1)")
        raise ValueError


PLACES: list[Callable[..., Any]] = [
    *(encoder, decoder, decoder_in_a_transaction, decoder_of_a_stream, maker, rows, copy_source, copy_sink, notices),
    *(body, transacted, behind_rollback),
]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
async def test_the_connection_goes_on(
    one: AsyncDatabase,
    outside: psycopg.Connection[Any],
    schema: str,
    place: Callable[..., Any],
    error: type[BaseException],
) -> None:
    await one.execute("create type mood as enum ('fine'); create table t (id int)")
    for _ in range(2):
        with pytest.raises(error):
            await place(one, Raising(error))
        assert await one.fetchval("select count(*) from t") == 0
    stats = one.stats()
    assert (stats.held, stats.waiting, stats.in_flight) == (0, 0, 0)
    until(outside, "select count(*) from pg_stat_activity where application_name = %s", schema, wanted=1)
    until(outside, "select bool_and(state = 'idle') from pg_stat_activity where application_name = %s", schema)


async def test_a_codec_that_blocks_holds_up_no_answer_for_good(db: AsyncDatabase, beside: Any) -> None:
    """Its thread (on a loop: all of it) waits; whoever asked at the same time has his answer afterwards."""
    gate = threading.Event()

    def decode(text: str) -> str:
        assert gate.wait(30)
        return text

    db.set_type_codec("mood", encoder=str, decoder=decode)
    await db.execute("create type mood as enum ('fine')")
    others = [beside.start(db.fetchval, "select $1::int", n) for n in range(20)]
    timer = threading.Timer(0.05, gate.set)
    timer.start()
    assert await db.fetchval("select 'fine'::mood") == "fine"
    timer.join()
    assert [await beside.result(each) for each in others] == list(range(20))
