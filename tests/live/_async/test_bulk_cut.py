"""Bulk loads whose connections are cut, wherever that is: nothing is left, or exactly what is told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.live.cutting import Proxy

from stretto._async.database import AsyncDatabase
from stretto.errors import BulkError, CommitUnknown, Error
from stretto.flows import batches
from stretto.flows.bulk import Chunk, Report

COUNT = 6000
PLAIN = {"sslmode": "disable", "gssencmode": "disable"}  # what the proxy can read


@pytest.fixture
def proxy(server_url: str) -> Iterator[Proxy]:
    with Proxy(server_url) as proxy:
        yield proxy


@pytest.fixture
def far(
    open_db: Callable[..., Any],
    proxy: Proxy,
    outside: psycopg.Connection[Any],
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A database behind the proxy, with a table; a chunk is 500 rows."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 500)
    outside.execute("create table t (id int primary key, name text)")
    return open_db(proxy.url, connections=4, server_settings={"search_path": schema}, **PLAIN)


def rows() -> Iterator[tuple[int, str]]:
    return ((i, f"name {i}") for i in range(COUNT))


def at(number: int, matches: Callable[[str, bytes], bool]) -> Callable[[str, bytes], str]:
    """Cut at the message of this number that matches, once."""
    left = [number]

    def rule(direction: str, message: bytes) -> str:
        if left[0] >= 0 and matches(direction, message):
            left[0] -= 1
            if left[0] < 0:
                return "cut"
        return "pass"

    return rule


def any_message(direction: str, message: bytes) -> bool:
    return True


def commit_said(direction: str, message: bytes) -> bool:
    return direction == ">" and message[:1] == b"Q" and b"COMMIT" in message


def commit_answered(direction: str, message: bytes) -> bool:
    return direction == "<" and message[:1] == b"C" and b"COMMIT" in message


def ids(outside: psycopg.Connection[Any]) -> list[int]:
    return [number for (number,) in outside.execute("select id from t order by id")]


def told(chunks: tuple[Chunk, ...]) -> list[int]:
    return [number for chunk in chunks for number in range(chunk.first, chunk.stop)]


async def outcome(verb: Any, **keywords: Any) -> tuple[Report | None, Error | None]:
    """The report, and what was raised; no report of a load that says by a plain error that nothing has landed."""
    try:
        return await verb("t", rows(), **keywords), None
    except BulkError as error:
        return error.report, error
    except Error as error:
        return None, error


POINTS = random.Random(74).sample(range(90), 7)


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_all_or_nothing_is_all_or_nothing(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], point: int, chunks: int
) -> None:
    proxy.rule = at(point, any_message)
    report, error = await outcome(far.copy_in, chunks=chunks)
    if not isinstance(error, CommitUnknown):
        assert len(ids(outside)) == (COUNT if error is None else 0)
    assert report is None or report.rows == COUNT
    proxy.rule = at(-1, any_message)  # never
    await far.copy_in("t", [(COUNT + 1, "after")], on_conflict="ignore")
    assert ids(outside)[-1] == COUNT + 1


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_what_landed_chunk_by_chunk_is_exactly_what_is_told(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], point: int, chunks: int
) -> None:
    proxy.rule = at(point, any_message)
    report, error = await outcome(far.copy_in, chunks=chunks, atomic=False)
    if report is None:
        assert ids(outside) == []
        return
    assert report.unknown == ()
    assert ids(outside) == told(report.chunks)
    assert error is not None or report.rows == COUNT


@pytest.mark.parametrize("way", [{}, {"atomic": False, "chunks": 1}, {"on_conflict": "update"}])
async def test_a_commit_whose_answer_is_lost_is_found_out(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], way: dict[str, Any]
) -> None:
    proxy.rule = at(0, commit_answered)
    report = await far.copy_in("t", rows(), **way)
    assert report.rows == COUNT
    assert ids(outside) == told(report.chunks) == list(range(COUNT))


async def test_a_commit_that_nobody_can_ask_about_is_told(
    open_db: Callable[..., Any], far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any], schema: str
) -> None:
    blind = open_db(proxy.url, connections=2, server_settings={"search_path": schema}, track_commit=False, **PLAIN)
    proxy.rule = at(2, commit_answered)
    with pytest.raises(BulkError, match="1000 rows in 2 chunks have landed, 1 chunks may have") as caught:
        await blind.copy_in("t", rows(), atomic=False, chunks=1)
    report = caught.value.report
    assert (told(report.chunks), report.unknown) == (list(range(1000)), (Chunk(1000, 1500, 0),))
    assert isinstance(caught.value.__cause__, CommitUnknown)
    assert ids(outside) == list(range(1500))  # it did, and nobody could know


async def test_a_commit_that_never_reached_the_server_has_not_landed(
    far: AsyncDatabase, proxy: Proxy, outside: psycopg.Connection[Any]
) -> None:
    proxy.rule = at(3, commit_said)
    with pytest.raises(BulkError, match="1500 rows in 3 chunks have landed: ") as caught:
        await far.copy_in("t", rows(), atomic=False, chunks=1)
    assert ids(outside) == told(caught.value.report.chunks) == list(range(1500))
