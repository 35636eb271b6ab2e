"""psycopg2 in the census: each thread has a connection, or all share a pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg2

from stretto.cli.race.contenders import contender, psycopg2_
from stretto.cli.race.workloads.census import Crew, Worker


def worker(cursor: Any) -> Worker:
    """The verbs of a cursor."""

    def fetch(sql: str, *parameters: Any) -> list[Any]:
        cursor.execute(sql, parameters)
        found: list[Any] = cursor.fetchall()
        return found

    return Worker(lambda sql, *parameters: cursor.execute(sql, parameters), fetch)


def _value(fetch: Any, sql: str) -> Any:
    return fetch(sql)[0][0]


@contender("census", "psycopg2 threads")
def threads(url: str, workers: int, _connections: int) -> Iterator[Any]:
    with ExitStack() as stack:
        crew = []
        for _ in range(workers):
            connection = stack.enter_context(closing(psycopg2.connect(url)))
            connection.autocommit = True
            crew.append(worker(connection.cursor()))
        yield Crew(crew, lambda sql: _value(crew[0].fetch, sql))


@contender("census", "psycopg2 threads, pool")
def pooled(url: str, workers: int, connections: int) -> Iterator[Any]:
    with psycopg2_.pool(url, connections) as use:

        def execute(sql: str, *parameters: Any) -> None:
            use(lambda connection: worker(connection.cursor()).execute(sql, *parameters))

        def fetch(sql: str, *parameters: Any) -> Any:
            return use(lambda connection: worker(connection.cursor()).fetch(sql, *parameters))

        yield Crew([Worker(execute, fetch)] * workers, lambda sql: _value(fetch, sql))
