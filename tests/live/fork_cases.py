"""What a child process meets that was forked while a connection was in use; each case is a program of its own.

``tests.live.test_forks`` runs them: ``python -m tests.live.fork_cases PLACE CASE URL``.
"""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["gevent"]:
    from gevent import monkey

    monkey.patch_all()

import asyncio
import os
import threading
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from gevent.monkey import get_original

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.errors import UsageError

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork while there are threads
NUMBERS = "select n from generate_series(1, 10) n"
IN_BLOCK = 1000  # the number that the parent's transaction writes


def ended(child: int) -> bool:
    """Wait for a child, and tell whether it ended well. Not by gevent's waitpid(), which now and then misses an end."""
    return bool(get_original("os", "waitpid")(child, 0)[1] == 0)


def fork(work: Callable[[], Any]) -> None:
    """Do something in a child, and wait for it; it may leave by SystemExit 7, and by nothing else that goes wrong."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except SystemExit as left:
            status = 0 if left.code == 7 else 2
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert ended(child)


def refused(use: Callable[[], Any]) -> None:
    """A use is refused as the parent's; again and again."""
    for _ in range(2):
        with pytest.raises(UsageError, match="after the fork"):
            use()


async def arefused(use: Callable[[], Any]) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="after the fork"):
            await use()


# --- blocking ---------------------------------------------------------------------------------------------------------


def connection(db: Any) -> None:
    with db.connection() as held:
        held.execute("set application_name = 'of the parent'")

        def child() -> None:
            refused(partial(held.fetchval, "select 1"))
            refused(partial(held.execute, "select 1"))
            refused(lambda: list(held.stream(NUMBERS)))
            refused(partial(held.copy_in, "a_table", [(1,)]))
            refused(lambda: list(held.notifications(timeout=30)))
            refused(held.cancel)
            refused(held.reset)
            refused(partial(use_in_block, held))
            assert held.closed
            db.close()

        fork(child)
        assert held.fetchval("show application_name") == "of the parent"


def use_in_block(db: Any) -> Any:
    with db.transaction() as transaction:
        return transaction.fetchval("select 1")


def transaction(db: Any) -> None:
    with db.transaction() as outer:
        pid = outer.fetchval("select pg_backend_pid()")

        def child() -> None:
            for verbs in (outer, db):
                refused(partial(verbs.fetchval, "select 1"))
                refused(partial(verbs.execute, "select 1"))
            refused(partial(use_in_block, db))
            refused(lambda: list(db.stream(NUMBERS)))
            refused(partial(outer.final.fetchval, "select 1"))

        fork(child)
        fork(child)
        assert db.fetchval("select pg_backend_pid()") == pid
        db.execute("insert into number values ($1)", IN_BLOCK)
    assert db.fetchval("select count(*) from number") == 1


class Broken(Exception):
    """What a child leaves its blocks by."""


LEFT_BY: dict[str, type[BaseException]] = {"exits": SystemExit, "raises": Broken, "goes on": UsageError}


def leave(way: str) -> None:
    """Leave the blocks in a child; who goes on to their ends is told that there is no COMMIT."""
    if way == "exits":
        sys.exit(7)
    if way == "raises":
        raise Broken


def leaving(db: Any) -> None:
    """The child leaves through the blocks in which it was born."""
    parent = os.getpid()
    for way, error in LEFT_BY.items():
        try:
            with db.transaction():
                db.execute("insert into number values ($1)", IN_BLOCK)
                with db.transaction():
                    db.execute("insert into number values ($1)", IN_BLOCK + 1)
                    child = os.fork()
                    if child == 0:
                        leave(way)
                    else:
                        assert ended(child)
        except BaseException as raised:
            if os.getpid() == parent:
                raise
            os._exit(0 if type(raised) is error else 1)
        if os.getpid() != parent:
            os._exit(2)
        assert db.fetchval("select count(*) from number") == 2
        db.execute("delete from number")


def stream(db: Any) -> None:
    rows = db.stream(NUMBERS, batch=2)
    assert next(rows)[0] == 1

    def child() -> None:
        assert next(rows)[0] == 2  # that was had before
        with pytest.raises(UsageError, match="after the fork"):
            next(rows)

    fork(child)
    assert [row[0] for row in rows] == list(range(2, 11))


def copying(db: Any) -> None:
    """The source of a COPY forks, and the child goes on in it."""
    children: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        if (child := os.fork()) == 0:
            children.append(child)
            yield (2,)
            return
        assert ended(child)
        yield from ((n,) for n in range(2, 100))

    with db.connection() as held:
        try:
            said = held.copy_in("number", rows())
        except UsageError as error:
            os._exit(0 if children and "after the fork" in str(error) else 1)
        if children:
            os._exit(2)
    assert said == "COPY 99"
    assert db.fetchval("select count(*) from number") == 99


def pool(db: Any) -> None:
    """As multiprocessing has it: children that use what a module has, inside a block."""
    import multiprocessing

    with db.transaction():
        db.execute("insert into number values ($1)", IN_BLOCK)
        with multiprocessing.get_context("fork").Pool(2, initializer=given, initargs=(db,)) as processes:
            told = processes.map_async(ask, range(8)).get(60)
        assert all("after the fork" in one for one in told), told
        assert db.fetchval("select count(*) from number") == 1


GIVEN: list[Any] = []


def given(db: Any) -> None:
    GIVEN.append(db)


def ask(number: int) -> str:
    try:
        return str(GIVEN[0].fetchval("select $1::int", number))
    except UsageError as error:
        return str(error)


# --- asyncio ----------------------------------------------------------------------------------------------------------


async def aconnection(db: AsyncDatabase) -> None:
    async with db.connection() as held:
        await held.execute("set application_name = 'of the parent'")

        async def child() -> None:
            await arefused(partial(held.fetchval, "select 1"))
            await arefused(partial(held.execute, "select 1"))
            await arefused(lambda: all_of(held.stream(NUMBERS)))
            await arefused(partial(held.copy_in, "a_table", [(1,)]))
            await arefused(lambda: all_of(held.notifications(timeout=30)))
            await arefused(held.cancel)
            await arefused(held.reset)
            await arefused(partial(ause_in_block, held))
            assert held.closed
            await db.close()

        fork(lambda: asyncio.run(child()))
        assert await held.fetchval("show application_name") == "of the parent"


async def ause_in_block(db: Any) -> Any:
    async with db.transaction() as transaction:
        return await transaction.fetchval("select 1")


async def all_of(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]


async def atransaction(db: AsyncDatabase) -> None:
    async with db.transaction() as outer:
        pid = await outer.fetchval("select pg_backend_pid()")

        async def child() -> None:
            for verbs in (outer, db):
                await arefused(partial(verbs.fetchval, "select 1"))
                await arefused(partial(verbs.execute, "select 1"))
            await arefused(partial(ause_in_block, db))
            await arefused(lambda: all_of(db.stream(NUMBERS)))
            await arefused(partial(outer.final.fetchval, "select 1"))

        fork(lambda: asyncio.run(child()))
        fork(lambda: asyncio.run(child()))
        assert await db.fetchval("select pg_backend_pid()") == pid
        await db.execute("insert into number values ($1)", IN_BLOCK)
    assert await db.fetchval("select count(*) from number") == 1


async def aleaving(db: AsyncDatabase) -> None:
    parent = os.getpid()
    for way, error in LEFT_BY.items():
        try:
            async with db.transaction():
                await db.execute("insert into number values ($1)", IN_BLOCK)
                async with db.transaction():
                    await db.execute("insert into number values ($1)", IN_BLOCK + 1)
                    child = os.fork()
                    if child == 0:
                        leave(way)
                    else:
                        assert ended(child)
        except BaseException as raised:
            if os.getpid() == parent:
                raise
            await db.close()
            os._exit(0 if type(raised) is error else 1)
        if os.getpid() != parent:
            os._exit(2)
        assert await db.fetchval("select count(*) from number") == 2
        await db.execute("delete from number")


async def astream(db: AsyncDatabase) -> None:
    rows = db.stream(NUMBERS, batch=2)
    assert (await anext(rows))[0] == 1

    async def child() -> None:
        assert (await anext(rows))[0] == 2  # that was had before
        with pytest.raises(UsageError, match="after the fork"):
            await anext(rows)

    fork(lambda: asyncio.run(child()))
    assert [row[0] async for row in rows] == list(range(2, 11))


CASES: dict[str, Callable[[Any], Any]] = {
    "connection": connection,
    "transaction": transaction,
    "leaving": leaving,
    "stream": stream,
    "copying": copying,
    "pool": pool,
}
ASYNC_CASES: dict[str, Callable[[Any], Any]] = {
    "connection": aconnection,
    "transaction": atransaction,
    "leaving": aleaving,
    "stream": astream,
}


def in_blocking(url: str, case: str) -> None:
    with Database(url, connections=2) as db:
        CASES[case](db)


async def on_a_loop(url: str, case: str) -> None:
    async with AsyncDatabase(url, connections=2) as db:
        await ASYNC_CASES[case](db)


async def in_run(url: str, case: str) -> None:
    async with AsyncDatabase(url, connections=2) as db:
        await db.run(CASES[case])


def main(place: str, case: str, url: str) -> None:
    if place == "thread":
        thread = threading.Thread(target=in_blocking, args=(url, case))
        thread.start()
        thread.join()
    elif place in ("blocking", "gevent"):
        in_blocking(url, case)
    else:
        import uvloop

        work = in_run if place == "run" else on_a_loop
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if place == "uvloop" else None) as runner:
            runner.run(work(url, case))
    print("in peace")


if __name__ == "__main__":
    main(*sys.argv[1:])
