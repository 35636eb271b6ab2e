"""What a Database has for transactions: transaction(), transact(), hooks, and the way of a statement into one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

from stretto._async.transaction import AsyncFinal, AsyncTransaction
from stretto._async.verbs import AsyncVerbs
from stretto._numbers import check_counts, check_seconds
from stretto.errors import PoolTimeout, StatementTimeout, UsageError
from stretto.flows.ambient import Ambient, present, scope_of, surroundings
from stretto.flows.ending import is_retryable, pause_before
from stretto.flows.options import Options
from stretto.runtime.aio import Link
from stretto.runtime.aturns import Work, pause, value_of
from stretto.runtime.lazy import refuse_generator

T = TypeVar("T")


class AsyncTransacting(AsyncVerbs):
    """Transactions that follow the context: what runs inside a block, however deep, joins it by itself."""

    _track_commit: bool

    # These give what is awaited, be they coroutine functions or not: one coroutine less waits for each statement.

    def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        raise NotImplementedError

    def _give(self, link: Link) -> Any:
        raise NotImplementedError

    def _elsewhere(self) -> Any:
        """Who has another connection, to ask what became of a COMMIT whose answer was lost."""
        return self

    def _alone(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        """Run a statement outside of any transaction."""
        raise NotImplementedError

    def transaction(
        self,
        *,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
    ) -> AsyncTransaction:
        """Make a transaction, to be entered by ``async with``; inside another one it is a savepoint.

        Args:
            isolation: ``read_committed``, ``repeatable_read`` or ``serializable``; None: the server's default.
            readonly: nothing can be written.
            deferrable: with ``serializable`` and ``readonly``: wait until it can run without conflicts.
            timeout: seconds for all that runs inside.

        Raises:
            UsageError: options that the transaction around it has not.
            PoolTimeout, PoolFull, PoolClosed: on entering, on asyncio, which waits while a thousand callers wait.
            DatabaseError: on leaving: the first error of the server inside, though it was caught; what COMMIT says.
            ConnectionLost, CommitUnknown: on leaving: it was rolled back, or nobody knows.
        """
        if timeout is not None:
            check_seconds(timeout=timeout)
        return AsyncTransaction(self, Options.of(isolation, readonly, deferrable), timeout)

    async def transact(
        self,
        function: Work[T],
        *args: Any,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        attempts: int = 5,
        timeout: float | None = None,
    ) -> T:
        """Call a function in a transaction and return what it returns; again after 40001 and 40P01.

        Each attempt is a transaction of its own, after a pause that is random and grows. The server's first error in
        it decides, at COMMIT too. Inside a transaction it is a savepoint, and called once: only the whole transaction
        can be tried again.

        Args:
            function: called with ``args``.
            args: its arguments.
            isolation: as of `transaction`, as are ``readonly`` and ``deferrable``.
            readonly: see there.
            deferrable: see there.
            attempts: how often it is called at most.
            timeout: seconds for all of it.

        Raises:
            UsageError: ``attempts`` below one; a generator function, or a generator that is returned.
            Exception: the last attempt's error, after ``attempts`` or when the time is up; other errors than those two
                at once.
        """
        refuse_generator(function)
        check_counts(attempts=attempts)
        check_seconds(timeout=timeout)
        options = Options.of(isolation, readonly, deferrable)
        last = 1 if scope_of(self) is not None else attempts
        attempt = 1
        with surroundings(present().until(timeout, monotonic())):
            while True:
                transaction = AsyncTransaction(self, options, None)
                try:
                    async with transaction:
                        return await value_of(function(*args))  # type: ignore[no-any-return]  # what it returns is its own
                except Exception as error:
                    seconds = pause_before(attempt + 1)
                    left = present().limit(None, monotonic())
                    if attempt >= last or not is_retryable(transaction._entered(), error, transaction._inner):
                        raise
                    if left is not None and left <= seconds:
                        error.add_note(f"after {attempt} attempts: the time is up")
                        raise
                await pause(seconds)
                attempt += 1

    def on_commit(self, function: Callable[[], Any]) -> None:
        """Call a function after the COMMIT of the transaction that this runs in (see ``AsyncTransaction.on_commit``).

        Raises UsageError outside a transaction.
        """
        self._innermost("on_commit()").on_commit(function)

    def on_rollback(self, function: Callable[[], Any]) -> None:
        """Call a function when the block that this runs in is rolled back (see ``AsyncTransaction.on_rollback``).

        Raises UsageError outside a transaction.
        """
        self._innermost("on_rollback()").on_rollback(function)

    @property
    def final(self) -> AsyncFinal:
        """The verbs, for the last statement of the transaction that this runs in: COMMIT goes in its flight.

        In a nested block it is a statement as any other. Raises UsageError outside a transaction.
        """
        return self._innermost("final").final

    def _innermost(self, what: str) -> AsyncTransaction:
        scope = scope_of(self)
        if scope is None:
            raise UsageError(f"{what} is for code that runs in a transaction() of this Database")
        scope.check_open()
        found: AsyncTransaction = scope.door()
        return found

    async def _acquire(self) -> Link:
        """Take a connection in the time that the deadline leaves."""
        now = present()
        since = await self._turn(None, block=True) if self._crowd.shut else 0.0
        try:
            return await self._take(now.remaining(None, monotonic()), since)  # type: ignore[no-any-return]  # a Link
        except PoolTimeout as error:
            now.explain(error, monotonic())
            raise

    def _within(
        self,
        now: Ambient,
        flow: Generator[Any, Any, Any],
        timeout: float | None,
        exclusive: bool = False,
        since: float = 0.0,
    ) -> Any:
        """Run a statement in what surrounds it: in the open transaction, with what time the deadline leaves."""
        if now.deadline is not None:
            return self._in_time(now, flow, timeout, exclusive, since)
        return self._joined(now, flow, timeout, exclusive, since)

    def _joined(
        self, now: Ambient, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool, since: float
    ) -> Any:
        scope = now.scope_of(self)
        if scope is None:
            return self._alone(flow, timeout, exclusive, since)
        door = scope.door()
        if door is None:
            scope.closed = True
            scope.check_open()
        return door._drive(flow, timeout)

    async def _in_time(
        self, now: Ambient, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool, since: float
    ) -> Any:
        now = present()
        try:
            return await self._joined(now, flow, now.remaining(timeout, since or monotonic()), exclusive, since)
        except (StatementTimeout, PoolTimeout) as error:
            now.explain(error, monotonic())
            raise
