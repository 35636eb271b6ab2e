"""copy_table() that fails: in the caller's transaction, at a deadline, at a COMMIT nobody answers; nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from tests.live._async.test_copy_table import far, far_url, one_value, tables, there

import stretto
from stretto._async.database import AsyncDatabase
from stretto._async.moving import Move
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
async def test_an_error_that_is_caught_leaves_the_callers_transactions_as_they_were(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, create: bool
) -> None:
    there.execute(HALVE)
    async with db.transaction(isolation="repeatable_read", readonly=True), far.transaction():
        for side in (db, far):
            await side.execute("set local timezone = 'Asia/Tokyo'")
        await far.execute("insert into t values (200)")
        if create:
            with pytest.raises(UsageError):
                await db.copy_table("t", far, "made", create=True, transform=lambda row: {}, verify=True)
        else:
            with pytest.raises((CopyDiffers, UniqueViolation)):
                await db.copy_table("t", far, columns={"n": "n"}, verify=True)
            await far.execute("alter table t drop constraint t_pkey")
            with pytest.raises(CopyDiffers):
                await db.copy_table("t", far, verify=True)
        for side in (db, far):
            assert await side.fetchval("show timezone") == "Asia/Tokyo"
    assert one_value(there, "select array_agg(n) from t") == [100]
    assert tables(there) == {"t"}


@pytest.mark.usefixtures("t")
async def test_a_deadline_leaves_no_table_behind(db: AsyncDatabase, far: AsyncDatabase, there: Any) -> None:
    with there.transaction():
        there.execute("lock table t in share mode")  # it can be read, and nothing can land
        with stretto.deadline(1), pytest.raises(StatementTimeout):
            await db.copy_table("t", far, jobs=2)
        assert tables(there) == {"t"}
    assert one_value(there, "select count(*) from t") == 0


@pytest.mark.usefixtures("t")
async def test_a_commit_nobody_answered_leaves_no_table_behind(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Move._commit

    async def lost(self: Move, part: Any) -> None:
        await commit(self, part)
        raise CommitUnknown("nobody answered")

    monkeypatch.setattr(Move, "_commit", lost)
    with pytest.raises(CommitUnknown) as caught:
        await db.copy_table("t", far, jobs=2)
    assert not hasattr(caught.value, "__notes__")
    assert tables(there) == {"t"}


async def test_a_table_beside_the_target_takes_one_connection_more(db: AsyncDatabase, far: AsyncDatabase) -> None:
    with pytest.raises(UsageError, match=r"jobs=3: <.*> needs connections=4, and has 3"):
        await far.copy_table("select 1 as n", db, "t", jobs=3)
