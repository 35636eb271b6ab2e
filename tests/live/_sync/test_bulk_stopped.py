# Generated from tests/live/_async/test_bulk_stopped.py by tools/make_sync.py: do not edit.
"""Bulk loads that are stopped from outside: by a deadline, by a cancellation, by a callback that raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.live.support import Broken

import stretto
from stretto._sync.database import Database
from stretto.errors import BulkError, StatementTimeout
from stretto.flows import batches

WAYS: list[dict[str, Any]] = [{}, {"chunks": 2}, {"errors": "report"}, {"on_conflict": "update"}]


def endless() -> Iterator[tuple[int]]:
    number = 0
    while True:
        yield (number,)
        number += 1


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_a_deadline_ends_a_load_and_leaves_nothing(db: Database, way: dict[str, Any]) -> None:
    db.execute("create table t (id int primary key)")
    with pytest.raises(StatementTimeout), stretto.deadline(0.3):
        db.copy_in("t", endless(), **way)
    assert db.fetchval("select count(*) from t") == 0
    tables = "select count(*) from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace"
    assert db.fetchval(tables) == 1
    assert (db.copy_in("t", [(1,)], **way)).rows == 1


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_deadline_ends_a_load_by_chunks_which_tells_what_has_landed(db: Database, chunks: int) -> None:
    db.execute("create table t (id int primary key)")
    with stretto.deadline(1.0), pytest.raises((BulkError, StatementTimeout)) as caught:
        db.copy_in("t", endless(), atomic=False, chunks=chunks)
    landed = getattr(caught.value, "report", None)
    assert db.fetchval("select count(*) from t") == (0 if landed is None else landed.rows)


def test_a_server_that_takes_nothing_is_not_waited_for(db: Database) -> None:
    """The table is locked behind the first rows, by which the sockets are soon full."""
    db.execute("create table t (id int primary key)")
    with db.connection() as holder:
        holder.execute("begin; lock table t in share mode")
        with pytest.raises(StatementTimeout), stretto.deadline(0.3):
            db.copy_in("t", endless())
        holder.execute("rollback")
    assert (db.copy_in("t", [(1,)])).rows == 1


def test_a_callback_that_raises_ends_a_load(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 1000)
    db.execute("create table t (id int primary key)")

    def progress(seen: stretto.Progress) -> None:
        if seen.rows > 2000:
            raise Broken

    with pytest.raises(Broken):
        db.copy_in("t", endless(), progress=progress)
    assert db.fetchval("select count(*) from t") == 0
    with pytest.raises(BulkError) as caught:
        db.copy_in("t", endless(), progress=progress, atomic=False)
    assert isinstance(caught.value.__cause__, Broken)
    assert caught.value.report.rows == db.fetchval("select count(*) from t") > 0
