"""AsyncTransaction: one block of a transaction, outermost or nested, for asyncio."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from functools import partial
from time import monotonic
from typing import Any

from stretto._async.ending import Owner, all_left, call_hooks, commit, discard, fate, part, seize
from stretto._async.verbs import AsyncVerbs
from stretto._habits import TRANSACTION, names_elsewhere
from stretto._numbers import check_seconds
from stretto._places import caller
from stretto.errors import CommitUnknown, ConnectionLost, PoolTimeout, StatementTimeout, TransactionClosed, UsageError
from stretto.flows.ambient import NOTHING, Ambient, ambient, enter, leave, present
from stretto.flows.ending import closing
from stretto.flows.failed import left
from stretto.flows.options import Options
from stretto.flows.transaction import Scope, Trunk
from stretto.flows.undo import revert
from stretto.flows.within import within
from stretto.runtime.aio import Link
from stretto.runtime.aturns import Turns, here, later


@names_elsewhere(TRANSACTION)
class AsyncTransaction(AsyncVerbs):
    """One block of a transaction, for asyncio: the outermost or a savepoint.

    ``transaction()`` makes it. What runs inside, in whatever function or task, joins it by itself; its own verbs do the
    same. Nothing is sent at the beginning: BEGIN rides with the first statement. Leaving the block commits, leaving it
    by an exception rolls back, and so does leaving it after a statement has failed, whose error is then raised.
    """

    __slots__ = (
        "__weakref__",
        "_before",
        "_ended",
        "_inner",
        "_inside",
        "_link",
        "_loop",
        "_options",
        "_outermost",
        "_owner",
        "_parent",
        "_place",
        "_scope",
        "_shared",
        "_timeout",
        "_turns",
        "_waited",
    )

    def __init__(self, owner: Owner, options: Options, timeout: float | None) -> None:
        self._owner = owner
        self._shared = owner._shared
        self._options = options
        self._timeout = timeout
        self._place = ""
        self._scope: Scope | None = None
        self._before: Ambient | None = None
        self._inside = NOTHING
        self._parent: AsyncTransaction | None = None
        self._outermost: AsyncTransaction | None = None  # None: this one, for a cycle would hide who is forgotten
        self._link: Link | None = None
        self._loop: Any = None
        self._ended = False
        self._inner: BaseException | None = None  # what the last block inside that failed was left by

    def __repr__(self) -> str:
        if self._scope is None:
            return f"<{type(self).__name__} not begun>"
        return f"<{type(self).__name__} {'ended' if self._ended else 'open'}, opened at {self._place}>"

    def on_commit(self, function: Callable[[], Any]) -> None:
        """Call a function, or async function, after the outermost COMMIT has taken place; in order.

        It is dropped where this block is rolled back. What it raises is logged; a cancellation or interrupt is raised
        when all of them have been called. Raises TransactionClosed where the block has ended.
        """
        self._hook(True, function)

    def on_rollback(self, function: Callable[[], Any]) -> None:
        """Call a function, or async function, when this block or one around it has been rolled back; in order.

        What it raises is logged. Raises TransactionClosed where the block has ended.
        """
        self._hook(False, function)

    def _hook(self, on_commit: bool, function: Callable[[], Any]) -> None:
        scope = self._entered()
        if scope.closed:
            raise TransactionClosed(
                f"the block opened at {self._place} has ended, so this hook would never be called: do now what it would"
            )
        scope.hooks += ((on_commit, function),)

    @property
    def final(self) -> AsyncFinal:
        """The verbs, for the last statement: COMMIT goes in its flight. Nothing can run in the transaction after it.

        In a nested block it is a statement as any other.
        """
        return AsyncFinal(self)

    # A statement --------------------------------------------------------------------------------------------------

    async def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        if timeout is not None:
            check_seconds(timeout=timeout)
        now = present()
        inner = now.scope_of(self._owner)
        if inner is not None and inner.is_inside(self._entered()):
            raise UsageError("a nested transaction() is open here: use its verbs, or the Database's, until it ends")
        return await self._limited(self._drive, now, flow, timeout)

    async def _limited(self, drive: Any, now: Ambient, flow: Generator[Any, Any, Any], timeout: float | None) -> Any:
        """Run a flow with no more time than the deadline leaves."""
        if now.deadline is None:
            return await drive(flow, timeout)
        try:
            return await drive(flow, now.remaining(timeout, monotonic()))
        except (StatementTimeout, PoolTimeout) as error:
            now.explain(error, monotonic())
            raise

    async def _drive(self, flow: Generator[Any, Any, Any], timeout: float | None, reserved: bool = False) -> Any:
        """Run a statement's flow in its turn. ``reserved``: it belongs to a stream or COPY, which goes alone."""
        scope = self._entered()
        trunk = scope.trunk
        begun = monotonic()
        scope.check()
        alone = reserved or not trunk.confirmed
        if not self._turns.try_enter(alone):
            await self._turns.enter(alone, timeout)
        try:
            link = (self._outermost or self)._link
            if link is None or link.closed or trunk.copying or not trunk.confirmed:
                left = None if timeout is None else timeout - (monotonic() - begun)
                self._check_free(scope, reserved)
                if link is None:  # not by _ready: one coroutine less waits for a connection
                    root = self._outermost or self
                    link = await root._owner._take(left, monotonic() - root._waited)
                    await self._keep(scope, link)
                else:
                    link = await self._ready(scope, left, reserved)
            try:
                return await link.run(within(scope, flow), timeout, monotonic() - begun)
            except BaseException as error:
                self._interrupted(link, error)
                raise
        finally:
            self._turns.leave(alone)

    async def _ready(self, scope: Scope, timeout: float | None, reserved: bool = False) -> Link:
        """The transaction's connection, taken when it is first needed. Raises what keeps a statement from running."""
        self._check_free(scope, reserved)
        trunk = scope.trunk
        root = self._outermost or self
        link: Link | None = root._link
        if link is None:
            link = await root._owner._take(timeout, monotonic() - root._waited)
            await self._keep(scope, link)
        elif link.closed:
            lost = link.why_lost()
            if not link.inherited:
                scope.fail(lost)
            raise lost
        elif trunk.sent and not trunk.confirmed:
            await link.recover()  # whoever sent BEGIN has given it up
            trunk.look(link.machine.status)
            scope.check()
        return link

    def _check_free(self, scope: Scope, reserved: bool) -> None:
        scope.check()
        if scope.trunk.copying and not reserved:
            raise UsageError("a COPY is running on this transaction's connection: run statements before or after it")

    async def _keep(self, scope: Scope, link: Link) -> None:
        """Have a connection that was waited for, unless the block was left meanwhile."""
        root = self._outermost or self
        if root._ended or scope.closed:
            await root._owner._give(link)
            scope.check()
        root._link = link

    def _interrupted(self, link: Link, error: BaseException) -> None:
        scope = self._entered()
        scope.interrupted(error)
        if scope.trunk.discard and (self._outermost or self)._link is link:
            link.abort()

    async def _reserve(self) -> Link:
        """The block's connection, for a stream or COPY."""
        scope = self._entered()
        limit = self._inside.remaining(None, monotonic())
        await self._turns.enter(True, limit)
        try:
            return await self._ready(scope, limit)
        finally:
            self._turns.leave(True)

    async def _run_last(self, flow: Generator[Any, Any, Any], timeout: float | None) -> Any:
        """Run a statement with COMMIT in its flight, and end the transaction."""
        if self._parent is not None:
            return await self._run(flow, timeout)
        check_seconds(timeout=timeout)
        now = present()
        inner = now.scope_of(self._owner)
        if inner is not None and inner.is_inside(self._entered()):
            raise UsageError("a nested transaction() is open here: its statements are not the last ones")
        return await self._limited(self._drive_last, now, flow, timeout)

    async def _drive_last(self, flow: Generator[Any, Any, Any], timeout: float | None) -> Any:
        scope = self._entered()
        trunk = scope.trunk
        begun = monotonic()
        scope.check()
        await self._turns.enter(True, timeout)
        try:
            link = await self._ready(scope, timeout)
            if link.recovering:
                await link.recover()
            _, held = await link.settle(closing(scope, flow), timeout, monotonic() - begun)
            if trunk.committing is None:  # COMMIT was not sent
                if held is not None:
                    raise held
                if trunk.failure is not None:
                    self._interrupted(link, trunk.failure)
                    raise trunk.failure
                return None if trunk.results is None else trunk.results[0]
            await self._finish(scope, trunk.failure, held)
        finally:
            self._turns.leave(True)
        if trunk.results is None:
            raise ConnectionLost("the transaction was committed, but its last statement's result was lost")
        return trunk.results[0]

    # The block ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> AsyncTransaction:
        if self._scope is not None:
            raise UsageError("a transaction() is for one block: call it again for another one")
        around = present().until(self._timeout, monotonic())
        before = self._before = ambient()
        outer = around.scope_of(self._owner)
        shut = outer is None and self._owner._crowd.shut
        since = await self._owner._turn(self._timeout, block=True) if shut else 0.0
        self._waited = monotonic() - since if since else 0.0  # outside: it counts where the connection is taken
        self._turns = Turns()  # from here on: a crowd that waits has none of this yet
        self._place = caller()
        if outer is None:
            trunk = Trunk(self._options, track=self._owner._track_commit)
        else:
            trunk = await self._join(outer, around)
        self._scope = scope = Scope(self._owner, trunk, self._place, outer, around.scope)
        self._loop = here()
        self._inside = around.inside(scope)
        enter(self._inside, before)
        scope.opened_by(self, self._inside.opener)
        return self

    async def _join(self, outer: Scope, around: Ambient) -> Trunk:
        """Wait until the block around has no other nested block open, and no statement under way."""
        outer.check()
        self._options.check_inside(outer.trunk.options)
        parent: AsyncTransaction | None = outer.door()
        if parent is None:
            raise UsageError("the transaction around was forgotten: its object is gone")
        await parent._turns.enter(True, around.limit(None, monotonic()))
        try:
            outer.check()
        except BaseException:
            parent._turns.leave(True)
            raise
        self._parent = parent
        self._outermost = parent._outermost or parent
        return outer.trunk

    def _entered(self) -> Scope:
        if self._scope is None:
            raise UsageError("this transaction() has not begun: enter it by a with statement")
        return self._scope

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        scope = self._entered()
        leave(self._inside, self._before)
        scope.left = True
        if self._ended:  # by its last statement
            why = scope.verdict(error)
            if why is not None and why is not error:
                raise why
            return
        try:
            if self._parent is None:
                await self._end(scope, error)
            else:
                await self._end_nested(scope, self._parent, error)
        except BaseException as raised:
            if raised is not error:
                raise

    async def _stop(self, scope: Scope, error: BaseException | None) -> tuple[Turns | None, BaseException | None]:
        """Let nothing more into the block. Without an error, what is under way comes to its end first.

        Returns where a turn was taken, None where others are still at the connection; and what the block ends with.
        """
        if error is None:
            try:
                limit = self._inside.remaining(None, monotonic())
                if not self._turns.try_enter(True):
                    await all_left(scope, self._turns, limit)
            except BaseException as late:
                error = late
            else:
                scope.closed = True
                return self._turns, scope.verdict(None)
        scope.closed = True
        root, why = self._outermost or self, scope.verdict(error)
        return await seize(scope, self._turns, lambda: root._link, partial(left, why)), why

    async def _end_nested(self, scope: Scope, parent: AsyncTransaction, error: BaseException | None) -> None:
        mine, why = await self._stop(scope, error)
        try:
            link = (self._outermost or self)._link
            if mine is None and link is not None:
                link.give_up_all(partial(left, why))
            scope.leave(keep=why is None)
        finally:
            self._ended = True
            if mine is not None:
                mine.leave(True)
            parent._turns.leave(True)
        if why is not None:
            parent._inner = why
            revert(scope.undo)
            await call_hooks(scope, self._before, committed=False)
            raise why

    async def _end(self, scope: Scope, error: BaseException | None) -> None:
        mine, why = await self._stop(scope, error)
        held: BaseException | None = None
        try:
            why = scope.trunk.over(why)
            if why is None and self._link is not None and scope.trunk.sent:
                try:
                    held = await commit(scope.trunk, self._link, self._inside.limit(None, monotonic()))
                except BaseException as interrupt:
                    why = interrupt
            await self._finish(scope, why, held, mine is not None)
        finally:
            if mine is not None:
                mine.leave(True)

    async def _finish(
        self, scope: Scope, why: BaseException | None, held: BaseException | None, mine: bool = True
    ) -> None:
        """Give the connection back, see what became of COMMIT, call the hooks, and raise what there is to raise."""
        scope.closed = self._ended = True
        link, self._link = self._link, None
        if link is not None:
            await part(self._owner, scope.trunk, link, mine, why)
        if scope.trunk.committing is not None and (why is None or isinstance(why, ConnectionLost)):
            why = await fate(self._owner, scope, held)
        if why is not None and not isinstance(why, CommitUnknown):
            revert(scope.undo)
        if scope.hooks and not isinstance(why, CommitUnknown):
            await call_hooks(scope, self._before, committed=why is None)
        if held is not None:
            raise held from why
        if why is not None:
            raise why

    def __del__(self) -> None:
        if self._scope is None or self._ended or self._parent is not None:
            return
        self._scope.closed = True
        warnings.warn(f"{self!r} was forgotten: it is rolled back", ResourceWarning, source=self, stacklevel=1)
        if self._link is not None:
            later(self._loop, partial(discard, self._owner, self._link))


class AsyncFinal(AsyncVerbs):
    """The verbs for a transaction's last statement: COMMIT goes in its flight."""

    def __init__(self, transaction: AsyncTransaction) -> None:
        self._transaction = transaction
        self._shared = transaction._shared

    async def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return await self._transaction._run_last(flow, timeout)
