"""Bulk loads whose server dies or whose network goes, at random points, over one connection and several."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from tests.live.crashing import KEPT, back, session_killed
from tests.live.cutting import Proxy
from tests.live.sums import possible, summed, there
from tests.live.support import until

import stretto.embedded
from stretto._async import ending
from stretto._async.database import AsyncDatabase
from stretto.errors import BulkError, CommitUnknown, Error
from stretto.flows import batches
from stretto.flows.bulk import Report

COUNT = 6000
PLAIN = {"sslmode": "disable", "gssencmode": "disable"}  # what the proxy can read
WAYS: list[dict[str, Any]] = [
    {},
    {"chunks": 3},
    {"on_conflict": "update"},
    {"atomic": False, "chunks": 1},
    {"atomic": False, "chunks": 3},
    {"atomic": False, "chunks": 3, "errors": "report"},
]
POINTS = random.Random(36).sample(range(20, 90), 2)


def row(number: int) -> tuple[int, str]:
    return number, f"name {number}"


def rows() -> Iterator[tuple[int, str]]:
    return map(row, range(COUNT))


@pytest.fixture(scope="module")
def struck() -> Iterator[stretto.embedded.Server]:
    """A server to be killed."""
    with stretto.embedded.start(settings=KEPT) as server:
        yield server


def at(point: int, strike: Callable[[], None]) -> Callable[[str, bytes], str]:
    """Strike at that message, and let all others pass."""
    left = iter(range(point))

    def rule(direction: str, message: bytes) -> str:
        if next(left, None) is None and strikes:
            strikes.pop()()
        return "pass"

    strikes = [strike]
    return rule


async def outcome(db: AsyncDatabase, way: dict[str, Any]) -> tuple[Report | None, Error | None]:
    """The report, and what was raised: a plain error says that nothing has landed, or that nobody knows."""
    try:
        return await db.copy_in("t", rows(), **way), None
    except BulkError as error:
        return error.report, error
    except Error as error:
        return None, error


def check(outside: psycopg.Connection[Any], report: Report | None, error: Error | None) -> None:
    """What is there is what was told, by count and checksum."""
    whole, nothing = summed(rows()), (0, 0)
    if error is None:
        assert there(outside) == whole
    elif isinstance(error, CommitUnknown):
        assert there(outside) in (whole, nothing)
    elif report is None:
        assert there(outside) == nothing
    else:
        assert there(outside) in possible(report, row)


def check_when_back(server: stretto.embedded.Server, report: Report | None, error: Error | None) -> None:
    """The same; a session that the crash still ends is made anew."""
    while True:
        with closing(back(server)) as after:
            try:
                return check(after, report, error)
            except psycopg.Error:
                if not after.closed:
                    raise


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", WAYS, ids=repr)
async def test_a_server_that_dies_in_a_load_has_what_was_told(
    open_db: Callable[..., Any],
    struck: stretto.embedded.Server,
    monkeypatch: pytest.MonkeyPatch,
    way: dict[str, Any],
    point: int,
) -> None:
    monkeypatch.setattr(batches, "BLOCK_ROWS", 500)
    with Proxy(struck.url) as proxy, closing(back(struck)) as outside:
        outside.execute("drop table if exists t; create table t (id int primary key, name text)")
        db: AsyncDatabase = open_db(proxy.url, connections=4, acquire_timeout=20, **PLAIN)
        proxy.rule = at(point, lambda: session_killed(struck, outside))
        report, error = await outcome(db, way)
    check_when_back(struck, report, error)
    with back(struck) as after:
        again: AsyncDatabase = open_db(struck.url, connections=3)
        assert (await again.copy_in("t", [row(COUNT)], chunks=2)).rows == 1
        left = after.execute("select count(*) from pg_class where relname like 'stretto_staging%'").fetchone()
        assert left == (0,)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", WAYS, ids=repr)
async def test_a_network_that_goes_in_a_load_leaves_what_is_told(
    open_db: Callable[..., Any],
    server_url: str,
    outside: psycopg.Connection[Any],
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
    way: dict[str, Any],
    point: int,
) -> None:
    """All connections at once, and none can be made for a while: nobody can be asked what became of a COMMIT."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 500)
    monkeypatch.setattr(ending, "SETTLE", 0.5)
    outside.execute("create table t (id int primary key, name text)")
    with Proxy(server_url) as proxy:
        path = {"search_path": schema, "application_name": schema}
        db: AsyncDatabase = open_db(proxy.url, connections=4, acquire_timeout=1, server_settings=path, **PLAIN)
        left = iter(range(point))
        proxy.rule = lambda direction, message: "pass" if next(left, None) is not None else "cut"
        report, error = await outcome(db, way)
        ended = "select count(*) from pg_stat_activity where application_name = %s"
        until(outside, ended, schema, wanted=0)
        check(outside, report, error)
