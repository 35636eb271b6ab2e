"""One connection() in the hands of several threads, where nobody reads for another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import stretto
from stretto.errors import PoolClosed, UsageError
from stretto.runtime.traffic import Ticket


def test_a_statement_beside_a_thread_that_listens_is_refused(server_url: str) -> None:
    with stretto.Database(server_url) as db, ThreadPoolExecutor(1) as pool, db.connection() as connection:
        connection.listen("stretto_hands")
        heard = pool.submit(lambda: [each.payload for each in connection.notifications(timeout=1.0)])
        while not connection._link.listening:
            threading.Event().wait(0.001)
        with pytest.raises(UsageError, match="another thread waits for notifications"):
            connection.fetchval("select 1")
        db.execute("select pg_notify('stretto_hands', 'hello')")
        assert heard.result(20) == ["hello"]
        assert connection.fetchval("select 1") == 1


def test_the_rows_of_executemany_may_come_from_the_same_connection(server_url: str) -> None:
    with stretto.Database(server_url) as db, db.connection() as connection:
        connection.execute("create temp table t (n int)")
        rows: Any = ((connection.fetchval("select $1::int", number),) for number in range(3))
        connection.executemany("insert into t values ($1)", rows)
        assert [row[0] for row in connection.fetchmany("select $1::int", rows_again(connection))] == [0, 1]


def rows_again(connection: Any) -> Any:
    for number in range(2):
        yield (connection.fetchval("select $1::int", number),)


def test_who_joins_the_queue_while_it_is_closed_is_told(server_url: str) -> None:
    db = stretto.Database(server_url, connections=1)
    pool, ticket, inside = db._pool, Ticket(patient=True), threading.Event()

    def join() -> None:
        with pool._lock:
            inside.set()
            while pool._refusal is None:
                threading.Event().wait(0.001)
            threading.Event().wait(0.05)  # for who closes without the lock to be through
            pool.scheduler.enqueue(ticket)

    with ThreadPoolExecutor(1) as threads:
        joined = threads.submit(join)
        assert inside.wait(20)
        db.close(0)
        joined.result(20)
    assert isinstance(ticket.failure, PoolClosed)
