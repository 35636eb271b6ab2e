# Generated from tests/live/_async/test_copy_table_failing.py by tools/make_sync.py: do not edit.
"""copy_table() that fails: in the caller's transaction, at a deadline, at a COMMIT nobody answers; nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.live._sync.test_copy_table import far, far_url, one_value, tables, there

import stretto
from stretto._sync.database import Database
from stretto._sync.moving import Move
from stretto.errors import CommitUnknown, CopyDiffers, StatementTimeout, UsageError
from stretto.sqlstate import UniqueViolation

__all__ = ["far", "far_url", "there"]  # fixtures

HALVE = """
create function halve() returns trigger language plpgsql as 'begin new.n := new.n / 2; return new; end';
create trigger halve before insert on t for each row execute function halve()
"""


@pytest.fixture
def t(outside: Any, there: Any) -> None:
    """A table on both sides; it is the same row there that came first."""
    for connection in (outside, there):
        connection.execute("create table t (n int primary key, at timestamptz)")
    outside.execute("insert into t select i, now() from generate_series(1, 100) i")


@pytest.mark.parametrize("create", [False, True], ids=["into what is there", "made"])
@pytest.mark.usefixtures("t")
def test_an_error_that_is_caught_leaves_the_callers_transactions_as_they_were(
    db: Database, far: Database, there: Any, create: bool
) -> None:
    there.execute(HALVE)
    with db.transaction(isolation="repeatable_read", readonly=True), far.transaction():
        for side in (db, far):
            side.execute("set local timezone = 'Asia/Tokyo'")
        far.execute("insert into t values (200)")
        if create:
            with pytest.raises(UsageError):
                db.copy_table("t", far, "made", create=True, transform=lambda row: {}, verify=True)
        else:
            with pytest.raises((CopyDiffers, UniqueViolation)):
                db.copy_table("t", far, columns={"n": "n"}, verify=True)
            far.execute("alter table t drop constraint t_pkey")
            with pytest.raises(CopyDiffers):
                db.copy_table("t", far, verify=True)
        for side in (db, far):
            assert side.fetchval("show timezone") == "Asia/Tokyo"
    assert one_value(there, "select array_agg(n) from t") == [100]
    assert tables(there) == {"t"}


@pytest.mark.usefixtures("t")
def test_a_deadline_leaves_no_table_behind(db: Database, far: Database, there: Any) -> None:
    with there.transaction():
        there.execute("lock table t in share mode")  # it can be read, and nothing can land
        with stretto.deadline(1), pytest.raises(StatementTimeout):
            db.copy_table("t", far, jobs=2)
        assert tables(there) == {"t"}
    assert one_value(there, "select count(*) from t") == 0


@pytest.mark.usefixtures("t")
def test_a_commit_nobody_answered_leaves_no_table_behind(
    db: Database, far: Database, there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Move._commit

    def lost(self: Move, part: Any) -> None:
        commit(self, part)
        raise CommitUnknown("nobody answered")

    monkeypatch.setattr(Move, "_commit", lost)
    with pytest.raises(CommitUnknown) as caught:
        db.copy_table("t", far, jobs=2)
    assert not hasattr(caught.value, "__notes__")
    assert tables(there) == {"t"}


def test_a_table_beside_the_target_takes_one_connection_more(db: Database, far: Database) -> None:
    with pytest.raises(UsageError, match=r"jobs=3: <.*> needs connections=4, and has 3"):
        far.copy_table("select 1 as n", db, "t", jobs=3)


# --- several at once ------------------------------------------------------------------------------------------------

ROWS = 3000


@pytest.fixture
def pair(open_db: Any, outside: Any, there: Any, far_url: str, schema: str) -> tuple[Database, Database]:
    """Two databases of no more connections than one copy by two jobs needs, with a table of rows and an empty one."""
    for connection in (outside, there):
        connection.execute("create table full_one (n int primary key, note text)")
        connection.execute("create table t (n int primary key, note text)")
        connection.execute(f"insert into full_one select i, repeat('x', 800) from generate_series(1, {ROWS}) i")
    path = {"search_path": schema}
    return open_db(connections=3, acquire_timeout=20), open_db(
        far_url, connections=3, acquire_timeout=20, server_settings=path
    )


def copied(source: Database, target: Database, number: int, way: dict[str, Any]) -> int:
    report = source.copy_table("full_one", target, f"made_{number}", create=True, jobs=2, verify=True, **way)
    return report.rows


@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("way", [{}, {"atomic": False}, {"transform": dict}], ids=repr)
def test_copies_at_the_same_time_do_not_wait_for_each_others_connections(
    pair: tuple[Database, Database], beside: Any, way: dict[str, Any], both_ways: bool
) -> None:
    near, far = pair
    sides = [(near, far), (far, near) if both_ways else (near, far)] * 3
    begun = [beside.start(copied, *side, number, way) for number, side in enumerate(sides)]
    assert [beside.result(one) for one in begun] == [ROWS] * 6
    for side in pair:
        with side.connection(), side.connection(), side.connection() as last:  # all are free again
            assert last.fetchval("select count(*) from full_one") == ROWS


def test_a_copy_goes_on_with_the_connections_that_are_left(pair: tuple[Database, Database], there: Any) -> None:
    near, far = pair
    with near.connection(), far.connection():  # one job has two, and the other one none
        assert (near.copy_table("full_one", far, "t", jobs=2)).rows == ROWS
    assert one_value(there, "select count(*) from t") == ROWS


def test_the_source_of_a_load_may_copy_a_table(pair: tuple[Database, Database]) -> None:
    near, far = pair

    def source() -> Iterator[tuple[int, str]]:
        yield 1, "first"
        yield 2, str(copied(near, far, 1, {}))

    assert (near.copy_in("t", source(), chunks=2)).rows == 2
    assert near.fetchval("select note from t where n = 2") == str(ROWS)
