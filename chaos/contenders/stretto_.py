"""stretto on asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from chaos.contenders import Program, Session, UnknownOutcome, by_hand, drive, retrying
from stretto import AsyncDatabase
from stretto.errors import CommitUnknown


class Stretto:
    name: ClassVar[str] = "stretto"
    unknown: ClassVar[tuple[type[Exception], ...]] = (CommitUnknown, UnknownOutcome)
    cancellable: ClassVar[bool] = True

    def __init__(self, db: AsyncDatabase) -> None:
        self.db = db

    @classmethod
    async def open(cls, url: str, connections: int, **keywords: Any) -> Self:
        return cls(AsyncDatabase(url, connections=connections, **keywords))

    async def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Any:
        return await self.db.fetchval(sql, *args, timeout=timeout)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[Session]:
        async with self.db.connection() as connection:
            yield connection

    async def transact(self, program: Program, isolation: str) -> Any:
        if not hasattr(self.db, "transact"):
            return await self._without_transact(program, isolation)

        async def once(*_: Any) -> Any:
            return await drive(program, self.db.fetchval)

        return await self.db.transact(once, isolation=isolation, attempts=50)

    async def _without_transact(self, program: Program, isolation: str) -> Any:
        """To be deleted as soon as there is transact()."""

        async def once() -> Any:
            async with self.db.connection() as own:
                return await by_hand(
                    program,
                    own.fetchval,
                    lambda: own.execute(f"begin isolation level {isolation.replace('_', ' ')}"),
                    lambda: own.execute("commit"),
                    lambda: own.execute("rollback"),
                )

        return await retrying(once)

    async def close(self) -> None:
        await self.db.close()


CONTENDER = Stretto
