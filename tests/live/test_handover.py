"""Threads that wait for each other's connections: who sends for whom, who goes first, and that nobody is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from tests.live.support import kill

from stretto.errors import ConnectionLost, PoolTimeout, StatementTimeout
from stretto.pool.scheduler import PATIENCE
from stretto.runtime.blocking import Link

Open = Callable[..., Any]
LATE = "select 'late'::text"
LONG = 20 * PATIENCE  # so who waits meanwhile has lost his patience


@pytest.fixture
def sent_by(monkeypatch: pytest.MonkeyPatch) -> dict[str, threading.Thread]:
    """By which thread each statement was queued on its connection."""
    senders: dict[str, threading.Thread] = {}
    submit = Link.submit

    def watched(self: Link, request: Any) -> None:
        if not request.queued and request.statement is not None:
            senders[request.statement.sql] = threading.current_thread()
        submit(self, request)

    monkeypatch.setattr(Link, "submit", watched)
    return senders


def waiting_for(db: Any, holder: Callable[[], Any], waiter: Callable[[], Any]) -> tuple[Future[Any], Future[Any]]:
    """What becomes of two calls in threads: one that has the connection, and one that waits for it."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(holder)
        wait_until(lambda: db.stats().in_flight == 1)
        second = pool.submit(waiter)
        wait_until(lambda: db.stats().waiting == 1)
    return first, second


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)


def long(db: Any) -> str:
    return str(db.fetchval("select 'long' from pg_sleep($1)", LONG))


def warm(db: Any) -> None:
    """Each statement is known, so that it is one request."""
    assert (db.fetchval("select 'long' from pg_sleep($1)", 0.0), db.fetchval(LATE)) == ("long", "late")


def test_who_hands_a_connection_over_sends_for_the_next(
    open_db: Open, sent_by: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_db(connections=1)
    warm(db)
    threads = {}
    send_for = db._pool._send_for

    def at_once(request: Any) -> None:
        request.lane.rested = False  # as it is when the machine is not too slow
        send_for(request)

    monkeypatch.setattr(db._pool, "_send_for", at_once)

    def late() -> Any:
        threads["late"] = threading.current_thread()
        return db.fetchval(LATE)

    first, second = waiting_for(db, lambda: long(db), late)
    assert (first.result(), second.result()) == ("long", "late")
    assert sent_by[LATE] is not threads["late"]


def test_the_main_thread_sends_for_nobody(open_db: Open, sent_by: dict[str, Any]) -> None:
    db = open_db(connections=1)
    warm(db)
    with ThreadPoolExecutor(1) as pool:

        def late() -> Any:
            wait_until(lambda: bool(db.stats().in_flight))
            return threading.current_thread(), db.fetchval(LATE)

        later = pool.submit(late)
        assert long(db) == "long"
        thread, found = later.result()
    assert found == "late"
    assert sent_by[LATE] is thread


def test_a_connection_that_is_lost_as_it_is_handed_over_costs_nobody_anything(
    open_db: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_db(connections=1)
    warm(db)
    send_for = db._pool._send_for
    lost = []

    def losing(request: Any) -> None:
        if not lost:
            lost.append(request.lane.link)
            request.lane.link.abort()
        send_for(request)

    monkeypatch.setattr(db._pool, "_send_for", losing)
    first, second = waiting_for(db, lambda: long(db), lambda: db.fetchval(LATE))
    assert (first.result(), second.result(), len(lost)) == ("long", "late", 1)
    assert db.stats().opened == 2


def test_a_statement_that_was_sent_and_lost_is_told_to_whom_it_belongs(
    open_db: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_db(connections=1)
    warm(db)
    send_for = db._pool._send_for
    lost = []

    def losing(request: Any) -> None:
        request.lane.rested = False  # as it is when the machine is not too slow
        send_for(request)
        if not lost:
            lost.append(request.lane.link)
            request.lane.link.abort()

    monkeypatch.setattr(db._pool, "_send_for", losing)
    first, second = waiting_for(db, lambda: long(db), lambda: db.fetchval(LATE))
    assert first.result() == "long"
    assert isinstance(second.exception(), ConnectionLost)
    assert second.exception().outcome == "unknown"
    assert db.fetchval(LATE) == "late"
    assert db.stats().waiting == db.stats().in_flight == 0


def test_whose_time_is_up_as_he_is_sent_for_gives_his_statement_up(
    open_db: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_db(connections=1)
    warm(db)
    pool = db._pool
    send_for, withdraw = pool._send_for, pool._withdraw
    refused = threading.Event()

    def slow(request: Any) -> None:
        request.lane.rested = False
        send_for(request)
        assert refused.wait(20)

    def withdrawing(waiter: Any) -> bool:
        done = bool(withdraw(waiter))
        if not done:
            refused.set()
        return done

    monkeypatch.setattr(pool, "_send_for", slow)
    monkeypatch.setattr(pool, "_withdraw", withdrawing)
    first, second = waiting_for(
        db, lambda: long(db), lambda: db.fetchval("select pg_sleep(20), 'late'", timeout=LONG + 0.4)
    )
    assert first.result() == "long"
    assert isinstance(second.exception(), StatementTimeout | PoolTimeout)
    assert db.fetchval(LATE) == "late"
    assert db.stats().waiting == db.stats().in_flight == 0


@pytest.mark.parametrize("callers", [2, 3, 20])
def test_nobody_is_forgotten_where_each_asks_once(open_db: Open, callers: int) -> None:
    db = open_db(connections=1 if callers < 20 else 5)
    together = threading.Barrier(callers)

    def ask(number: int) -> int:
        together.wait()
        return int(db.fetchval("select $1::int", number))

    with ThreadPoolExecutor(callers) as pool:
        for _ in range(100):
            assert list(pool.map(ask, range(callers))) == list(range(callers))
    assert db.stats().waiting == db.stats().in_flight == 0


def test_whoever_asks_again_and_again_shuts_nobody_out(open_db: Open) -> None:
    db = open_db(connections=2)
    done = threading.Event()

    def greedy(number: int) -> int:
        count = 0
        while not done.is_set():
            assert db.fetchval("select $1::int", number) == number
            count += 1
        return count

    def block() -> int:
        with db.transaction():
            return int(db.fetchval("select 7"))

    def reserved() -> int:
        with db.connection() as connection:
            return int(connection.fetchval("select 7"))

    with ThreadPoolExecutor(8) as pool:
        greedies = [pool.submit(greedy, number) for number in range(6)]
        try:
            for _ in range(30):
                modest = [pool.submit(one) for one in (block, reserved)]
                assert db.fetchval("select 7") == 7
                assert [one.result(60) for one in modest] == [7, 7]
        finally:
            done.set()
        assert all(one.result() > 0 for one in greedies)


def test_connections_that_are_killed_are_handed_over_to_nobody(open_db: Open, outside: Any, schema: str) -> None:
    db = open_db(connections=3)
    done = threading.Event()
    pids = "select pid from pg_stat_activity where application_name = %s"

    def ask(number: int) -> int:
        lost = 0
        while not done.is_set():
            try:
                assert db.fetchval("select $1::int", number) == number
            except ConnectionLost:
                lost += 1
        return lost

    with ThreadPoolExecutor(12) as pool:
        callers = [pool.submit(ask, number) for number in range(12)]
        try:
            kills = 0
            while kills < 20:
                for (pid,) in outside.execute(pids, [schema]).fetchall():
                    kill(outside, pid)
                    kills += 1
        finally:
            done.set()
        assert sum(one.result(60) for one in callers) <= kills
    assert db.fetchval("select 7") == 7
    assert db.stats().waiting == db.stats().in_flight == 0
