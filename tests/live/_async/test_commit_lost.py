"""Connections that are cut around COMMIT, and how often a transaction waits for the server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from tests.live.crashing import KEPT, back, session_killed
from tests.live.cutting import Proxy

import stretto.embedded
from stretto._async.database import AsyncDatabase
from stretto.errors import CommitUnknown, ConnectError, ConnectionLost

SEEN = "select array_agg(i order by i) from t"


@pytest.fixture
def proxy(server_url: str) -> Iterator[Proxy]:
    with Proxy(server_url) as proxy:
        yield proxy


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers, each once."""
    outside.execute("create table t (i int primary key)")
    return schema


# A crash forgets what was not committed: nothing but a COMMIT writes the log to disk.
FORGETFUL = {**KEPT, "wal_writer_delay": "10s", "wal_level": "minimal", "max_wal_senders": "0"}
PLAIN = {"sslmode": "disable", "gssencmode": "disable"}  # what the proxy can read


@pytest.fixture
def far(open_db: Callable[..., Any], proxy: Proxy, t: str) -> Any:
    """A database of two connections behind the proxy."""
    return open_db(proxy.url, connections=2, server_settings={"search_path": t}, **PLAIN)


def seen(outside: psycopg.Connection[Any]) -> list[int]:
    (found,) = outside.execute(SEEN).fetchone() or (None,)
    return found or []


def once(match: Callable[[str, bytes], bool], verdict: str) -> Callable[[str, bytes], str]:
    """A rule for the first message that matches."""
    left = [verdict]

    def rule(direction: str, message: bytes) -> str:
        return left.pop() if left and match(direction, message) else "pass"

    return rule


def commit_said(direction: str, message: bytes) -> bool:
    return direction == ">" and message[:1] == b"Q" and b"COMMIT" in message


def commit_answered(direction: str, message: bytes) -> bool:
    return direction == "<" and message[:1] == b"C" and b"COMMIT" in message


async def work(db: AsyncDatabase, first: str, called: list[str]) -> None:
    async with db.transaction() as transaction:
        transaction.on_commit(lambda: called.append("commit"))
        transaction.on_rollback(lambda: called.append("rollback"))
        await db.execute(first)


@pytest.mark.parametrize("first", ["insert into t values (1)", "do $$ begin insert into t values (1); end $$"])
async def test_a_commit_whose_answer_is_lost_is_found_out(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], first: str
) -> None:
    called: list[str] = []
    proxy.rule = once(commit_answered, "cut")
    await work(far, first, called)
    assert called == ["commit"]
    assert seen(outside) == [1]
    assert await far.fetchval("select 1") == 1


@pytest.mark.parametrize("connections", [1, 2])
async def test_a_commit_on_a_reserved_connection_is_found_out_on_another(
    open_db: Any, proxy: Proxy, outside: psycopg.Connection[Any], t: str, connections: int
) -> None:
    far = open_db(proxy.url, connections=connections, server_settings={"search_path": t}, **PLAIN)
    called: list[str] = []
    async with far.connection() as connection:
        await work(connection, "insert into t values (1)", called)
        proxy.rule = once(commit_answered, "cut")
        await work(connection, "insert into t values (2)", called)
        assert connection.closed
        with pytest.raises(ConnectionLost):
            await work(connection, "insert into t values (3)", called)
    assert called == ["commit", "commit", "rollback"]
    assert seen(outside) == [1, 2]
    async with far.connection() as connection:
        proxy.rule = once(commit_said, "cut")
        with pytest.raises(ConnectionLost) as caught:
            await work(connection, "insert into t values (4)", called)
    assert caught.value.outcome == "rolled_back"
    assert await far.fetchval("select count(*) from t") == 2


async def test_a_commit_that_never_reached_the_server_was_rolled_back(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []
    proxy.rule = once(commit_said, "cut")
    with pytest.raises(ConnectionLost) as caught:
        await work(far, "insert into t values (1)", called)
    assert caught.value.outcome == "rolled_back"
    assert called == ["rollback"]
    assert seen(outside) == []


async def test_a_commit_is_unknown_only_where_nobody_can_tell(
    open_db: Any, far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], t: str
) -> None:
    called: list[str] = []
    blind = open_db(
        proxy.url,
        connections=1,
        server_settings={"search_path": t},
        track_commit=False,
        **PLAIN,
    )
    proxy.rule = once(commit_answered, "cut")
    with pytest.raises(CommitUnknown, match="its xid is not known") as caught:
        await work(blind, "insert into t values (1)", called)
    assert caught.value.xid is None
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert called == []
    assert seen(outside) == [1]


async def test_a_commit_whose_xid_the_server_has_forgotten(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stretto._async import ending

    monkeypatch.setattr(ending, "STATUS", "select null::text, left($1::int8::text, 0), $2::timestamptz is null")
    proxy.rule = once(commit_answered, "cut")
    with pytest.raises(CommitUnknown, match="pg_xact_status") as caught:
        await work(far, "insert into t values (1)", [])
    assert caught.value.xid is not None
    status = outside.execute("select pg_xact_status(%s::text::xid8)", (caught.value.xid,)).fetchone()
    assert status == ("committed",)


async def test_a_xid_that_a_crash_has_given_again_is_not_taken_for_the_lost_one(open_db: Callable[..., Any]) -> None:
    with stretto.embedded.start(settings=FORGETFUL) as server, Proxy(server.url) as proxy:
        with closing(back(server)) as before:
            before.execute("create table t (i int primary key)")

            def crash(direction: str, message: bytes) -> str:
                if direction == "<" and crashed.is_set():
                    given.wait(20)  # the server's last words are heard when it has given the number again
                if crashed.is_set() or not commit_said(direction, message):
                    return "pass"
                crashed.set()
                session_killed(server, before)
                with closing(back(server)) as after:
                    after.execute("insert into t values (2)")
                given.set()
                return "cut"

            crashed, given = threading.Event(), threading.Event()
            proxy.rule = crash
            db: AsyncDatabase = open_db(proxy.url, connections=2, **PLAIN)
            called: list[str] = []
            with pytest.raises(CommitUnknown) as caught:
                await work(db, "insert into t values (1)", called)
        assert called == []
        with closing(back(server)) as after:
            assert seen(after) == [2]
            status = after.execute("select pg_xact_status(%s::text::xid8)", (caught.value.xid,)).fetchone()
            assert status == ("committed",)  # that of the row that is there


async def test_a_last_statement_whose_commit_is_lost(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []

    async def last(number: int) -> Any:
        async with far.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            return await transaction.final.fetchval("insert into t values ($1) returning i", number)

    assert await last(0) == 0
    proxy.rule = once(commit_answered, "cut")
    assert await last(1) == 1
    proxy.rule = once(commit_said, "cut")
    with pytest.raises((ConnectionLost, CommitUnknown)):  # the question for the xid is in the same flight
        await last(2)
    assert called == ["commit", "commit"]
    assert seen(outside) == [0, 1]


async def test_a_readonly_transaction_has_nothing_to_lose(far: AsyncDatabase, proxy: Proxy) -> None:
    proxy.rule = once(commit_answered, "cut")
    with pytest.raises(ConnectionLost) as caught:
        async with far.transaction(readonly=True):
            await far.fetchval("select 1")
    assert caught.value.safe_to_retry


async def test_a_cut_anywhere_leaves_all_or_nothing(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any]
) -> None:
    """The connection is cut before and after the n-th message of each side; what is said of the outcome is true."""
    said: dict[str, int] = {}
    for direction in "><":
        for verdict in ("cut", "pass and cut"):
            for number in range(1, 26):
                left = [number]

                def rule(way: str, message: bytes, d: str = direction, v: str = verdict, left: Any = left) -> str:
                    left[0] -= way == d
                    return v if left[0] == 0 and way == d else "pass"

                for _ in range(2):  # those that were cut
                    with contextlib.suppress(ConnectionLost):
                        await far.fetchval("select 1")
                outside.execute("truncate t")
                proxy.rule = rule
                try:
                    async with far.transaction():
                        await far.execute("insert into t values ($1)", 1)
                        await far.execute("insert into t values ($1)", 2)
                    outcome = "committed"
                except ConnectionLost as error:
                    outcome = error.outcome
                except ConnectError:
                    outcome = "not_sent"
                except CommitUnknown:
                    outcome = "unknown"
                finally:
                    proxy.rule = lambda way, message: "pass"
                if outcome != "unknown":
                    assert seen(outside) == ([1, 2] if outcome == "committed" else []), (direction, verdict, number)
                said[outcome] = said.get(outcome, 0) + 1
    assert said["committed"] > 5
    assert said["rolled_back"] > 5
    assert said.get("unknown", 0) <= 4, said


# --- Flights --------------------------------------------------------------------------------------------------------


NEXT = "insert into t select coalesce(max(i), 0) + $1 from t"


async def two_statements(db: AsyncDatabase) -> None:
    async with db.transaction(isolation="repeatable_read"):
        await db.execute(NEXT, 1)
        await db.execute(NEXT, 1)


async def without_arguments(db: AsyncDatabase) -> None:
    async with db.transaction():
        await db.execute(NEXT.replace("$1", "1"))


async def with_savepoints(db: AsyncDatabase) -> None:
    async with db.transaction():
        await db.fetch("select 1")
        async with db.transaction():
            await db.fetch("select 1")
        async with db.transaction():
            await db.fetch("select 1")


async def that_fails(db: AsyncDatabase) -> None:
    with pytest.raises(stretto.sqlstate.DivisionByZero):
        async with db.transaction():
            await db.fetch("select 1/0")


async def that_ends_with_its_last(db: AsyncDatabase) -> None:
    async with db.transaction() as transaction:
        await transaction.final.execute(NEXT, 1)


async def of_nothing(db: AsyncDatabase) -> None:
    async with db.transaction(), db.transaction():
        pass


BEGIN = "PBE"
SAVEPOINT = RELEASE = "PBE"
XID = "BES"
FLIGHTS = {
    two_statements: [f"{BEGIN}BES{XID}", "BES", "Q"],
    without_arguments: [f"Q{XID}", "Q"],
    with_savepoints: [f"{BEGIN}BES", f"{SAVEPOINT}BES", f"{RELEASE}{SAVEPOINT}BES", f"{XID}Q"],
    that_fails: [f"{BEGIN}BES", "Q"],
    that_ends_with_its_last: [f"{BEGIN}BES{XID}Q"],
    of_nothing: [],
}


@pytest.mark.parametrize("transaction", FLIGHTS, ids=lambda transaction: transaction.__name__)
async def test_a_transactions_flights(
    open_db: Any, proxy: Proxy, t: str, transaction: Any, outside: psycopg.Connection[Any]
) -> None:
    db = open_db(proxy.url, connections=1, server_settings={"search_path": t}, **PLAIN)
    await transaction(db)
    await transaction(db)  # warm, the question for the xid too
    await db.fetchval("select 1")
    proxy.log.clear()
    proxy.delay = 0.1
    await transaction(db)
    proxy.delay = 0.0
    assert proxy.flights() == FLIGHTS[transaction]
