"""A connection that is given back while what was given up there is still being cancelled: the cancel hits nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.live.places import Tasks

import stretto
from stretto.errors import StatementTimeout
from stretto.flows.query import execute
from stretto.runtime import aio, recovery

SHORT = "select pg_sleep(0.05)"


def test_a_task_gets_it_when_the_cancel_has_ended(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def send(*_: Any) -> None:
            await go.wait()

        monkeypatch.setattr(aio, "send_cancel", send)
        async with stretto.AsyncDatabase(server_url, connections=1) as db:
            link = await db._pool.acquire()
            with pytest.raises(StatementTimeout):
                await link.run(execute(db._shared, SHORT, ()), 0.01)
            while not link.machine.idle():
                await Tasks().turn()
            assert link.recovering
            await db._pool.release(link)
            assert db.stats().held == 1
            go.set()
            assert await db.fetchval("select 1") == 1
            assert (db.stats().held, db.stats().opened) == (0, 1)

    asyncio.run(main())


def test_a_thread_gets_it_when_the_cancel_has_ended(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, go = threading.Event(), threading.Event()
    drained = recovery.Recovery._recover

    def recover(self: Any, deadline: float) -> None:
        drained(self, deadline)
        heard.set()
        go.wait(20)  # it has ended, and is not known to have

    monkeypatch.setattr(recovery.Recovery, "_recover", recover)
    with stretto.Database(server_url, connections=1) as db:
        link = db._pool.acquire()
        with pytest.raises(StatementTimeout):
            link.run(execute(db._shared, SHORT, ()), 0.01)
        assert heard.wait(20)
        assert link.machine.idle()
        db._pool.release(link)
        assert db.stats().held == 1
        go.set()
        assert db.fetchval("select 1") == 1
        assert (db.stats().held, db.stats().opened) == (0, 1)


def test_who_has_it_next_keeps_it_when_the_recovery_ends(server_url: str) -> None:
    with stretto.Database(server_url, connections=1) as db:
        link = db._pool.acquire()
        link.machine.shared = True  # as if it had been released and taken since
        link.recovered(shared=False)
        assert db.stats().held == 1
        link.machine.shared = False
        db._pool.release(link)
        assert db.stats().held == 0


def test_a_recovery_that_follows_another_at_once_is_waited_for_too(server_url: str) -> None:
    """Else who has waited for the first one reads beside the second one, whose reader gets his answer."""

    class Another:
        def wait(self, _: float | None) -> bool:
            waited.append(self)
            link._recovery = Another() if len(waited) < 5 else None
            return True

    waited: list[Any] = []
    with stretto.Database(server_url, connections=1) as db:
        link: Any = db._pool.acquire()
        link._recovery = Another()
        assert link.run(execute(db._shared, "select 1", ())) == "SELECT 1"
        assert len(waited) == 5
        db._pool.release(link)


def test_a_task_waits_for_both(server_url: str) -> None:
    async def main() -> None:
        async def first() -> None:
            await asyncio.sleep(0)
            link._recovery = asyncio.create_task(second())

        async def second() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            waited.append(link.recovering)

        waited: list[bool] = []
        async with stretto.AsyncDatabase(server_url, connections=1) as db:
            link: Any = await db._pool.acquire()
            link._recovery = asyncio.create_task(first())
            await link.recover()
            assert waited == [True]
            assert not link.recovering
            await db._pool.release(link)

    asyncio.run(main())
