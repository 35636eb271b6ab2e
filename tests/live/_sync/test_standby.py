# Generated from tests/live/_async/test_standby.py by tools/make_sync.py: do not edit.
"""Servers with standbys: commits that wait for one that is not there, and an old primary that comes back as one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaos.server import Target, fresh
from tests.live.cutting import Proxy
from tests.live.support import until

import stretto.embedded
from stretto._sync.database import Database
from stretto.embedded import Server
from stretto.errors import CommitUnknown, ConnectionLost

PORT = "select current_setting('port')::int4"
WAITING = "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and application_name = %s"
ONE_WAITS = "select {}(pid) from pg_stat_activity where wait_event = 'SyncRep' and application_name = %s"


@pytest.fixture(scope="module")
def lonely() -> Iterator[Target]:
    """A server whose commits wait for a standby that never comes."""
    with fresh() as target:
        target.execute("create table t (i int)")
        target.execute("alter system set synchronous_standby_names = 'nobody'")
        target.execute("select pg_reload_conf()")
        until(target.admin, "select current_setting('synchronous_standby_names')", wanted="nobody")
        yield target


@pytest.fixture
def db(open_db: Callable[..., Any], lonely: Target, schema: str) -> Any:
    lonely.execute("truncate t")
    settings = {"application_name": schema, "synchronous_commit": "on"}
    return open_db(lonely.url, connections=2, server_settings=settings)


def in_a_block(db: Database, called: list[str]) -> None:
    with db.transaction() as transaction:
        transaction.on_commit(lambda: called.append("commit"))
        transaction.on_rollback(lambda: called.append("rollback"))
        db.execute("insert into t values (1)")


def in_one_flight(db: Database, called: list[str]) -> None:
    with db.transaction() as transaction:
        transaction.on_commit(lambda: called.append("commit"))
        transaction.on_rollback(lambda: called.append("rollback"))
        transaction.final.execute("insert into t values (1)")


def tried_again(db: Database, called: list[str]) -> None:
    def work() -> None:
        called.append("called")
        db.execute("insert into t values (1)")

    db.transact(work)


def by_itself(db: Database, called: list[str]) -> None:
    db.execute("insert into t values (1)")


def as_many(db: Database, called: list[str]) -> None:
    db.executemany("insert into t values ($1)", [(1,)])


def waiting(db: Database, lonely: Target, beside: Any, schema: str, called: list[str], write: Any = in_a_block) -> Any:
    """A task whose COMMIT waits for the standby."""
    task = beside.start(write, db, called)
    while not lonely.execute(WAITING, schema)[0][0]:
        beside.turn()
    return task


@pytest.mark.parametrize(
    ("write", "calls"),
    [(in_a_block, []), (in_one_flight, []), (tried_again, ["called"]), (by_itself, []), (as_many, [])],
)
def test_a_commit_whose_wait_for_a_standby_is_cancelled_is_no_success(
    db: Database, lonely: Target, beside: Any, schema: str, write: Any, calls: list[str]
) -> None:
    """It took place on this server, and a failover may undo it: neither done nor undone, and not to be repeated."""
    called: list[str] = []
    task = waiting(db, lonely, beside, schema, called, write)
    lonely.execute(ONE_WAITS.format("pg_cancel_backend"), schema)
    with pytest.raises(CommitUnknown, match="failover") as caught:
        beside.result(task)
    assert "replicated" in str(caught.value.detail)
    assert called == calls
    assert lonely.execute("select i from t") == [(1,)]
    if "transaction" in write.__code__.co_names:
        status = lonely.execute("select pg_xact_status(%s::text::xid8)", caught.value.xid)
        assert status == [("committed",)]
    assert db.fetchval("select count(*) from t") == 1


def test_a_session_that_is_ended_while_its_commit_waits_is_no_success(
    db: Database, lonely: Target, beside: Any, schema: str
) -> None:
    called: list[str] = []
    task = waiting(db, lonely, beside, schema, called)
    lonely.execute(ONE_WAITS.format("pg_terminate_backend"), schema)
    with pytest.raises(CommitUnknown, match="failover"):
        beside.result(task)
    assert called == []
    assert db.fetchval("select count(*) from t") == 1


def test_a_lost_commit_that_no_standby_has_is_no_success(
    open_db: Any, lonely: Target, beside: Any, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server, asked on another connection, says that it is committed; who asks waits for the standby, too."""
    from stretto._sync import ending

    monkeypatch.setattr(ending, "SETTLE", 0.5)
    lonely.execute("truncate t")
    called: list[str] = []
    settings = {"application_name": schema, "synchronous_commit": "on"}
    with Proxy(lonely.url) as proxy:
        far = open_db(proxy.url, connections=2, server_settings=settings, sslmode="disable", gssencmode="disable")
        task = waiting(far, lonely, beside, schema, called)
        proxy.rule = lambda direction, message: "cut" if message[:1] == b"N" else "pass"
        lonely.execute(ONE_WAITS.format("pg_cancel_backend"), schema)
        with pytest.raises(CommitUnknown, match="pg_xact_status") as caught:
            beside.result(task)
        assert isinstance(caught.value.__cause__, ConnectionLost)
        assert called == []
        status = lonely.execute("select pg_xact_status(%s::text::xid8)", caught.value.xid)
        assert status == [("committed",)]
    lonely.execute(ONE_WAITS.format("pg_terminate_backend"), schema)


def test_a_commit_that_waits_longer_than_its_deadline_is_unknown_and_not_cancelled(
    db: Database, lonely: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stretto._sync import ending
    from stretto.runtime import blocking

    monkeypatch.setattr(ending, "SETTLE", 0.3)
    monkeypatch.setattr(blocking, "CANCEL_GRACE", 0.1)
    called: list[str] = []
    db.fetchval("select 1")
    with pytest.raises(CommitUnknown) as caught, stretto.deadline(0.2):
        in_a_block(db, called)
    assert called == []
    assert lonely.execute("select count(*) from t") == [(0,)], "it still waits"
    assert lonely.execute("select pg_xact_status(%s::text::xid8)", caught.value.xid) == [("in progress",)]
    lonely.execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")


# --- Failover ---------------------------------------------------------------------------------------------------------


def standby_of(primary: Server, home: Path, port: int | None = None) -> Server:
    """Copy a running server to an empty directory, and start the copy as its standby."""
    owner = primary.data_directory.stat()
    home.mkdir()
    os.chown(home, owner.st_uid, owner.st_gid)
    program = primary.bin_directory / "pg_basebackup"
    command = [program, "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-D", home / "data", "-R"]
    other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run([*command, "-c", "fast", "--no-sync"], check=True, cwd="/", **other)  # type: ignore[call-overload]  # a mapping of them
    return stretto.embedded.start(home, port=port)


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stretto-failover-") as name:
        os.chmod(name, 0o711)
        yield Path(name)


@pytest.mark.slow
def test_a_pool_follows_a_failover_and_the_return_of_the_old_primary_as_a_standby(
    open_db: Any, beside: Any, place: Path
) -> None:
    with contextlib.ExitStack() as running:
        first = running.enter_context(stretto.embedded.start(place / "first"))
        second = running.enter_context(standby_of(first, place / "second"))

        def open_for(target: str) -> Any:
            hosts, ports = "127.0.0.1,127.0.0.1", f"{first.port},{second.port}"
            return open_db(first.url, host=hosts, port=ports, target_session_attrs=target, connections=3)

        writer, reader = open_for("read-write"), open_for("standby")
        writer.execute("create table t (i int)")
        writer.execute("insert into t values (1)")
        assert writer.fetchval(PORT) == first.port
        assert reader.fetchval(PORT) == second.port

        with psycopg.connect(second.url, autocommit=True) as look:
            until(look, "select count(*) from pg_class where relname = 't'", wanted=1)
            until(look, "select pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()")
            until(look, "select count(*) from t", wanted=1)
            first.stop("immediate")
            waits = beside.start(writer.execute, "insert into t values (2)")
            look.execute("select pg_promote()")
            beside.result(waits)
            assert writer.fetchval(PORT) == second.port
            assert writer.fetchval("select array_agg(i order by i) from t") == [1, 2]

            running.enter_context(standby_of(second, place / "third", first.port))
            with writer.connection() as a, writer.connection() as b, writer.connection() as c:
                assert [each.fetchval(PORT) for each in (a, b, c)] == [second.port] * 3
            reader.fetchval("select 1")  # an idle session is told of the promotion with its next answer
            assert reader.fetchval(PORT) == first.port, "what was promoted is no standby any more"
            assert reader.fetchval("select pg_is_in_recovery()")
            writer.execute("insert into t values (3)")
            assert look.execute("select count(*) from t").fetchone() == (3,)
