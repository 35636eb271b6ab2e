"""A server that goes as a whole: no session of it that was open before is asked anything more, on both runtimes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.flows.driver import message
from tests.runtime.calls import PATIENCE, RUNTIMES
from tests.runtime.scripted import SQL, Peer, honest, scripted

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database
from stretto.errors import ConnectionLost, DatabaseError
from stretto.runtime.aturns import pause

both = pytest.mark.parametrize("runtime", RUNTIMES)
PLACE = b"Fpostgres.c\0L2999\0Rquickdie\0\0"
# What a session says on an immediate stop, and when another one has crashed (PostgreSQL 15 to 18; others say 57P02).
GOING = {
    "57P01": message(b"N", b"SWARNUNG\0VWARNING\0C57P01\0Mimmediate shutdown\0" + PLACE),
    "57P02": message(b"N", b"SWARNING\0VWARNING\0C57P02\0Mcrash of another process\0" + PLACE),
}
# What says nothing of the other sessions.
ALONE = {
    "pg_terminate_backend": message(b"E", b"SFATAL\0VFATAL\0C57P01\0Mterminated\0Rquickdie\0\0"),
    "raised by a function": message(b"N", b"SWARNING\0VWARNING\0C57P01\0Mquickdie\0Rexec_stmt_raise\0\0"),
    "nothing": b"",
}


def with_two_open(runtime: str, url: str, work: Callable[[Any], Any]) -> Any:
    """Call a function with a Database that has two idle connections, the first of them first in its order."""

    async def main() -> Any:
        async with asyncio.timeout(PATIENCE), AsyncDatabase(url) as db:
            async with db.connection(), db.connection():
                pass
            while db.stats().idle < 2:  # they are made as new beside us
                await pause(0)
            return await db.run(work)

    if runtime == "asyncio":
        return asyncio.run(main())
    with Database(url) as db:
        with db.connection(), db.connection():
            pass
        assert db.stats().idle == 2
        return work(db)


def saying(last: bytes) -> Callable[[Peer], None]:
    """A session that is made as new once, and ends at the first statement with some last words."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=1)
        while peer.hear()[0] != "S":
            pass
        peer.send(last)

    return script


def ask_twice(db: Any) -> tuple[BaseException, Any, Any]:
    with pytest.raises(ConnectionLost) as caught:
        db.fetch(SQL)
    return caught.value, db.fetch(SQL), db.stats()


@both
@pytest.mark.parametrize("case", GOING)
def test_when_the_server_goes_no_other_session_of_it_is_asked(runtime: str, case: str) -> None:
    with scripted(saying(GOING[case]), honest) as server:
        error, rows, stats = with_two_open(runtime, server.url, ask_twice)
    assert isinstance(error.__cause__, DatabaseError)
    assert error.__cause__.sqlstate == case
    assert rows == [(7,)]
    assert (stats.connections, stats.opened, stats.closed) == (1, 3, 2)
    assert [set(peer.heard) & set("PBE") for peer in server.peers] == [{"P"}, set(), set("PBE")]


@both
@pytest.mark.parametrize("case", ALONE)
def test_when_one_session_ends_the_others_are_used_on(runtime: str, case: str) -> None:
    with scripted(saying(ALONE[case]), honest) as server:
        _, rows, stats = with_two_open(runtime, server.url, ask_twice)
    assert rows == [(7,)]
    assert (stats.connections, stats.opened, stats.closed) == (1, 2, 1)


@both
def test_a_session_that_said_goodbye_while_it_was_idle_takes_the_others_along(runtime: str) -> None:
    rested, gone = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=1)
        assert rested.wait(PATIENCE)
        peer.send(GOING["57P01"])
        peer.sock.close()
        gone.set()

    def ask(db: Any) -> Any:
        rested.set()
        assert gone.wait(PATIENCE)
        return db.fetch(SQL), db.stats()

    with scripted(script, honest) as server:
        rows, stats = with_two_open(runtime, server.url, ask)
    assert rows == [(7,)]
    assert (stats.opened, stats.closed) == (3, 2)


@both
def test_whoever_has_a_connection_for_himself_goes_on_and_it_is_closed_behind_him(runtime: str) -> None:
    def ask(db: Any) -> Any:
        with db.connection() as own:  # the last of the idle ones
            with pytest.raises(ConnectionLost):
                db.fetch(SQL)
            first = own.fetch(SQL)
            second = db.fetch(SQL)
            held = db.stats().held
        return first, second, held

    with scripted(saying(GOING["57P01"]), honest) as server:
        assert with_two_open(runtime, server.url, ask) == ([(7,)], [(7,)], 1)
        assert len(server.peers) == 3
    assert server.peers[1].heard[-1] == "X"


def test_what_was_behind_the_statement_that_ran_is_asked_again_by_itself() -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=6)  # described and run once: its time is known, so that others may ride along
        for _ in range(3):
            while peer.hear()[0] != "S":
                pass
        peer.send(GOING["57P01"])

    async def main(url: str) -> list[Any]:
        async with asyncio.timeout(PATIENCE), AsyncDatabase(url, connections=1) as db:
            assert await db.fetch(SQL) == [(7,)]
            return await asyncio.gather(*(db.fetch(SQL) for _ in range(3)), return_exceptions=True)

    with scripted(script, honest) as server:
        first, *others = asyncio.run(main(server.url))
    assert isinstance(first, ConnectionLost)
    assert first.outcome == "unknown"
    assert others == [[(7,)], [(7,)]]
