"""stretto's blocking Database, shared by threads: each call in one of its own, so that no scenario is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from chaos.contenders import Program, Session, UnknownOutcome, by_hand, retrying
from stretto import Database
from stretto.errors import CommitUnknown

THREADS = 128


class Threads:
    name: ClassVar[str] = "threads"
    unknown: ClassVar[tuple[type[Exception], ...]] = (CommitUnknown, UnknownOutcome)
    cancellable: ClassVar[bool] = False

    def __init__(self, db: Database) -> None:
        self.db = db
        self._threads = ThreadPoolExecutor(THREADS, "chaos")

    @classmethod
    async def open(cls, url: str, connections: int, **keywords: Any) -> Self:
        return cls(Database(url, connections=connections, **keywords))

    def _in_thread(self, call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        async def called(*args: Any, **keywords: Any) -> Any:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: call(*args, **keywords))

        return called

    def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        return self._in_thread(self.db.fetchval)(sql, *args, timeout=timeout)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[Session]:
        context = self.db.connection()
        connection = await self._in_thread(context.__enter__)()
        try:
            yield _Held(self._in_thread(connection.fetchval))
        finally:
            await self._in_thread(context.__exit__)(None, None, None)

    async def transact(self, program: Program, isolation: str) -> Any:
        if not hasattr(self.db, "transact"):
            return await self._without_transact(program, isolation)

        def once(*_: Any) -> Any:
            running, answer = program(), None
            while True:
                try:
                    statement = running.send(answer)
                except StopIteration as stop:
                    return stop.value
                answer = self.db.fetchval(*statement)

        return await self._in_thread(self.db.transact)(once, isolation=isolation, attempts=50)

    async def _without_transact(self, program: Program, isolation: str) -> Any:
        """To be deleted as soon as there is transact()."""

        async def once() -> Any:
            context = self.db.connection()
            own = await self._in_thread(context.__enter__)()
            execute = self._in_thread(own.execute)
            try:
                return await by_hand(
                    program,
                    self._in_thread(own.fetchval),
                    lambda: execute(f"begin isolation level {isolation.replace('_', ' ')}"),
                    lambda: execute("commit"),
                    lambda: execute("rollback"),
                )
            finally:
                await self._in_thread(context.__exit__)(None, None, None)

        return await retrying(once)

    async def close(self) -> None:
        await self._in_thread(self.db.close)()
        self._threads.shutdown()


class _Held:
    def __init__(self, fetchval: Callable[..., Awaitable[Any]]) -> None:
        self._fetchval = fetchval

    def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        return self._fetchval(sql, *args, timeout=timeout)


CONTENDER = Threads
