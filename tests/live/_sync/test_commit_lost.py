# Generated from tests/live/_async/test_commit_lost.py by tools/make_sync.py: do not edit.
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
from stretto._sync.database import Database
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


def work(db: Database, first: str, called: list[str]) -> None:
    with db.transaction() as transaction:
        transaction.on_commit(lambda: called.append("commit"))
        transaction.on_rollback(lambda: called.append("rollback"))
        db.execute(first)


@pytest.mark.parametrize("first", ["insert into t values (1)", "do $$ begin insert into t values (1); end $$"])
def test_a_commit_whose_answer_is_lost_is_found_out(
    far: Database, proxy: Proxy, outside: psycopg.Connection[Any], first: str
) -> None:
    called: list[str] = []
    proxy.rule = once(commit_answered, "cut")
    work(far, first, called)
    assert called == ["commit"]
    assert seen(outside) == [1]
    assert far.fetchval("select 1") == 1


@pytest.mark.parametrize("connections", [1, 2])
def test_a_commit_on_a_reserved_connection_is_found_out_on_another(
    open_db: Any, proxy: Proxy, outside: psycopg.Connection[Any], t: str, connections: int
) -> None:
    far = open_db(proxy.url, connections=connections, server_settings={"search_path": t}, **PLAIN)
    called: list[str] = []
    with far.connection() as connection:
        work(connection, "insert into t values (1)", called)
        proxy.rule = once(commit_answered, "cut")
        work(connection, "insert into t values (2)", called)
        assert connection.closed
        with pytest.raises(ConnectionLost):
            work(connection, "insert into t values (3)", called)
    assert called == ["commit", "commit", "rollback"]
    assert seen(outside) == [1, 2]
    with far.connection() as connection:
        proxy.rule = once(commit_said, "cut")
        with pytest.raises(ConnectionLost) as caught:
            work(connection, "insert into t values (4)", called)
    assert caught.value.outcome == "rolled_back"
    assert far.fetchval("select count(*) from t") == 2


def test_a_commit_that_never_reached_the_server_was_rolled_back(
    far: Database, proxy: Proxy, outside: psycopg.Connection[Any]
) -> None:
    called: list[str] = []
    proxy.rule = once(commit_said, "cut")
    with pytest.raises(ConnectionLost) as caught:
        work(far, "insert into t values (1)", called)
    assert caught.value.outcome == "rolled_back"
    assert called == ["rollback"]
    assert seen(outside) == []


def test_a_commit_is_unknown_only_where_nobody_can_tell(
    open_db: Any, far: Database, proxy: Proxy, outside: psycopg.Connection[Any], t: str
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
        work(blind, "insert into t values (1)", called)
    assert caught.value.xid is None
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert called == []
    assert seen(outside) == [1]


def test_a_commit_whose_xid_the_server_has_forgotten(
    far: Database, proxy: Proxy, outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stretto._sync import ending

    monkeypatch.setattr(ending, "STATUS", "select null::text, left($1::int8::text, 0), $2::timestamptz is null")
    proxy.rule = once(commit_answered, "cut")
    with pytest.raises(CommitUnknown, match="pg_xact_status") as caught:
        work(far, "insert into t values (1)", [])
    assert caught.value.xid is not None
    status = outside.execute("select pg_xact_status(%s::text::xid8)", (caught.value.xid,)).fetchone()
    assert status == ("committed",)


def test_a_xid_that_a_crash_has_given_again_is_not_taken_for_the_lost_one(open_db: Callable[..., Any]) -> None:
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
            db: Database = open_db(proxy.url, connections=2, **PLAIN)
            called: list[str] = []
            with pytest.raises(CommitUnknown) as caught:
                work(db, "insert into t values (1)", called)
        assert called == []
        with closing(back(server)) as after:
            assert seen(after) == [2]
            status = after.execute("select pg_xact_status(%s::text::xid8)", (caught.value.xid,)).fetchone()
            assert status == ("committed",)  # that of the row that is there


def test_a_last_statement_whose_commit_is_lost(far: Database, proxy: Proxy, outside: psycopg.Connection[Any]) -> None:
    called: list[str] = []

    def last(number: int) -> Any:
        with far.transaction() as transaction:
            transaction.on_commit(lambda: called.append("commit"))
            return transaction.final.fetchval("insert into t values ($1) returning i", number)

    assert last(0) == 0
    proxy.rule = once(commit_answered, "cut")
    assert last(1) == 1
    proxy.rule = once(commit_said, "cut")
    with pytest.raises((ConnectionLost, CommitUnknown)):  # the question for the xid is in the same flight
        last(2)
    assert called == ["commit", "commit"]
    assert seen(outside) == [0, 1]


def test_a_readonly_transaction_has_nothing_to_lose(far: Database, proxy: Proxy) -> None:
    proxy.rule = once(commit_answered, "cut")
    with pytest.raises(ConnectionLost) as caught:
        with far.transaction(readonly=True):
            far.fetchval("select 1")
    assert caught.value.safe_to_retry


def test_a_cut_anywhere_leaves_all_or_nothing(far: Database, proxy: Proxy, outside: psycopg.Connection[Any]) -> None:
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
                        far.fetchval("select 1")
                outside.execute("truncate t")
                proxy.rule = rule
                try:
                    with far.transaction():
                        far.execute("insert into t values ($1)", 1)
                        far.execute("insert into t values ($1)", 2)
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


def two_statements(db: Database) -> None:
    with db.transaction(isolation="repeatable_read"):
        db.execute(NEXT, 1)
        db.execute(NEXT, 1)


def without_arguments(db: Database) -> None:
    with db.transaction():
        db.execute(NEXT.replace("$1", "1"))


def with_savepoints(db: Database) -> None:
    with db.transaction():
        db.fetch("select 1")
        with db.transaction():
            db.fetch("select 1")
        with db.transaction():
            db.fetch("select 1")


def that_fails(db: Database) -> None:
    with pytest.raises(stretto.sqlstate.DivisionByZero):
        with db.transaction():
            db.fetch("select 1/0")


def that_ends_with_its_last(db: Database) -> None:
    with db.transaction() as transaction:
        transaction.final.execute(NEXT, 1)


def of_nothing(db: Database) -> None:
    with db.transaction(), db.transaction():
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
def test_a_transactions_flights(
    open_db: Any, proxy: Proxy, t: str, transaction: Any, outside: psycopg.Connection[Any]
) -> None:
    db = open_db(proxy.url, connections=1, server_settings={"search_path": t}, **PLAIN)
    transaction(db)
    transaction(db)  # warm, the question for the xid too
    db.fetchval("select 1")
    proxy.log.clear()
    proxy.delay = 0.1
    transaction(db)
    proxy.delay = 0.0
    assert proxy.flights() == FLIGHTS[transaction]
