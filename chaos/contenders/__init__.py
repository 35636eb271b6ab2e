"""The libraries under test, each behind the same few calls: what its user would write, and no more."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar, Protocol, Self

# A transaction without its library: a generator that yields (sql, *args) and is sent the first value of the answer.
Program = Callable[[], Generator[tuple[Any, ...], Any, Any]]
NAMES = ("stretto", "threads", "asyncpg", "psycopg_pool")
_ATTEMPTS = 50


class UnknownOutcome(Exception):
    """Whether a transaction was committed could not be told."""


class Session(Protocol):
    """What a statement can be run on."""

    def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Awaitable[Any]: ...


class Contender(Protocol):
    """A pool of at most ``connections``, opened on the running loop."""

    name: ClassVar[str]
    unknown: ClassVar[tuple[type[Exception], ...]]  # what says that a COMMIT may have taken place or not
    cancellable: ClassVar[bool]  # whether cancelling the task that waits cancels the call

    @classmethod
    async def open(cls, url: str, connections: int, **keywords: Any) -> Self: ...
    def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Awaitable[Any]: ...
    def exclusive(self) -> AbstractAsyncContextManager[Session]: ...
    async def transact(self, program: Program, isolation: str) -> Any:
        """Run a transaction, again where the server asks for it. Raised, and not of ``unknown``: not committed."""

    async def close(self) -> None: ...


def load(name: str) -> type[Contender]:
    """The contender of a name; raises ImportError where its library is not installed."""
    contender: type[Contender] = importlib.import_module(f"chaos.contenders.{name}_").CONTENDER
    return contender


async def drive(program: Program, fetchval: Callable[..., Awaitable[Any]]) -> Any:
    """Run a program's statements by ``fetchval``, and give what it returns."""
    running, answer = program(), None
    while True:
        try:
            statement = running.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = await fetchval(*statement)


def states(error: BaseException | None) -> list[str]:
    """The SQLSTATEs of an error and of what caused it."""
    found = []
    while error is not None:
        found += [state] if (state := getattr(error, "sqlstate", None)) else []
        error = error.__cause__ or error.__context__
    return found


def retryable(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) in ("40001", "40P01")


async def retrying(once: Callable[[], Awaitable[Any]]) -> Any:
    """What a user writes round a transaction whose library has no retry."""
    for attempt in range(_ATTEMPTS):
        try:
            return await once()
        except Exception as error:
            if not retryable(error) or attempt == _ATTEMPTS - 1:
                raise
        await asyncio.sleep(random.random() * 0.002 * 2 ** min(attempt, 5))
    raise AssertionError("the last attempt returns or raises")


async def by_hand(
    program: Program,
    fetchval: Callable[..., Awaitable[Any]],
    begin: Callable[[], Awaitable[Any]],
    commit: Callable[[], Awaitable[Any]],
    rollback: Callable[[], Awaitable[Any]],
) -> Any:
    """One transaction by a library's own BEGIN, COMMIT and ROLLBACK; raises UnknownOutcome where COMMIT was cut off."""
    await begin()
    try:
        result = await drive(program, fetchval)
    except BaseException:
        with suppress(Exception):
            await rollback()
        raise
    try:
        await commit()
    except Exception as error:
        if retryable(error):
            raise
        raise UnknownOutcome(f"at COMMIT: {type(error).__name__}: {error}") from error
    return result


async def hold_at_once(contender: Contender, count: int) -> list[int]:
    """Hold ``count`` exclusive connections at the same time, and give the server's process id of each."""
    all_there = asyncio.Barrier(count)

    async def hold() -> int:
        async with contender.exclusive() as connection:
            pid: int = await connection.fetchval("select pg_backend_pid()")
            await all_there.wait()
            return pid

    return await asyncio.gather(*(hold() for _ in range(count)))
