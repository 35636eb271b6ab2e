"""psycopg2 where others have models: rows, and objects put together by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from stretto.cli.race.contenders import by_hand, contender
from stretto.cli.race.contenders.psycopg2_ import connect, fetchrow, pool
from stretto.cli.race.workloads import mixed

CHILDREN_OF, GRANDCHILDREN_OF = by_hand.percent(by_hand.CHILDREN_OF), by_hand.percent(by_hand.GRANDCHILDREN_OF)
WRITE_A, WRITE_B = by_hand.percent(by_hand.WRITE_A), by_hand.percent(by_hand.WRITE_B)
READ_A, READ_B = by_hand.percent(by_hand.READ_A), by_hand.percent(by_hand.READ_B)


def _fetch(connection: Any, sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[Any] = cursor.fetchall()
        return found


@contender("graph", "psycopg2 three queries, stitched")
def graph(url: str) -> Iterator[Any]:
    with closing(connect(url)) as connection:

        def fetch() -> list[by_hand.Parent]:
            parents = _fetch(connection, by_hand.PARENTS)
            children = _fetch(connection, CHILDREN_OF, by_hand.keys(parents))
            grandchildren = _fetch(connection, GRANDCHILDREN_OF, by_hand.keys(children))
            return by_hand.stitched(parents, children, grandchildren)

        yield fetch


def _write(connection: Any, number: int) -> list[by_hand.A]:
    """`with connection` is its transaction."""
    connection.autocommit = False
    with connection:
        first = _fetch(connection, WRITE_A, by_hand.texts(number))
        second = _fetch(connection, WRITE_B, by_hand.owners(first))
    return by_hand.with_branches(first, second)


def _read(connection: Any) -> list[by_hand.A]:
    connection.autocommit = True
    first = _fetch(connection, READ_A, mixed.READ)
    return by_hand.with_branches(first, _fetch(connection, READ_B, by_hand.keys(first)))


def _value(connection: Any, sql: str) -> Any:
    connection.autocommit = True
    return fetchrow(connection, sql)[0]


@contextmanager
def on_pool(url: str, connections: int) -> Iterator[Any]:
    """The three functions of the mixed load."""
    with pool(url, connections) as use:
        yield (
            lambda number: use(lambda connection: _write(connection, number)),
            lambda: use(_read),
            lambda sql: use(lambda connection: _value(connection, sql)),
        )


@contender("mixed", "psycopg2 by hand, threads")
def mixed_threads(url: str, connections: int) -> Iterator[Any]:
    with on_pool(url, connections) as functions:
        yield *functions, connections
