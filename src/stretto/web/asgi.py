"""For ASGI: a middleware that gives each request a transaction, and the closing of databases at shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context, copy_context
from typing import Any

from stretto import AsyncDatabase, Database
from stretto.web._again import PERMISSION, Permission, is_conflict, pause_after
from stretto.web._block import Block, check, in_thread
from stretto.web._inbox import Inbox, Watched
from stretto.web._rules import Rules, Safe, Skip, explain

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

__all__ = ["TransactionMiddleware", "lifespan"]


class TransactionMiddleware:
    """ASGI middleware: each HTTP request runs in a transaction, which is over before the response's first byte is sent.

    ``db``: an AsyncDatabase, or a Database for handlers that run in threads. The handler just uses it. The transaction
    is committed when the response starts; when that fails, the error goes on to the server, which answers 500. It is
    rolled back by an exception, a cancellation, a status of ``rollback_from`` or above, and when there is no response.
    What runs behind the start of the response (the rest of a stream, Starlette's background tasks) runs outside.

    ``isolation``, ``timeout``: as of ``transaction()``. ``safe``: what GET, HEAD, OPTIONS and TRACE get: a ``readonly``
    transaction, none (``outside``), or the same as all (None). ``skip``: paths that get none, with all below them, or a
    function of the ASGI scope. ``attempts``: how often the application is called for a request whose handler is
    ``@stretto.web.retryable``, as long as the server says 40001 or 40P01 and its body is not longer than ``replay``
    bytes. ``cancel_on_disconnect``: cancel the handler when the client goes away before the response has started.
    WebSockets and lifespan pass through. Raises UsageError for options that there are not.
    """

    def __init__(
        self,
        app: App,
        db: AsyncDatabase | Database,
        *,
        isolation: str | None = None,
        safe: Safe | None = None,
        skip: Skip = (),
        rollback_from: int = 400,
        attempts: int = 5,
        replay: int = 1 << 20,
        timeout: float | None = None,
        cancel_on_disconnect: bool = False,
    ) -> None:
        self.app = app
        self._db = check(db)
        self._rules = Rules(isolation, safe, skip, rollback_from, attempts, replay, timeout)
        self._cancel_on_disconnect = cancel_on_disconnect
        db.transaction(isolation=isolation)  # says now what is wrong with it

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        options = None
        if scope["type"] == "http":
            options = self._rules.options(scope["method"], scope["path"], scope)
        if options is None:
            await self.app(scope, receive, send)
            return
        inbox = (
            Watched(receive, self._rules.replay) if self._cancel_on_disconnect else Inbox(receive, self._rules.replay)
        )
        permission = Permission()
        before = PERMISSION.set(permission)
        try:
            await self._run(scope, inbox, send, options, permission)
        finally:
            PERMISSION.reset(before)
            await inbox.close()

    async def _run(
        self, scope: MutableMapping[str, Any], inbox: Inbox, send: Send, options: dict[str, Any], permission: Permission
    ) -> None:
        """Run the application, again after a conflict. Each further time is in a context that the first left alone."""
        as_it_came = dict(scope)
        context = copy_context()
        attempt = 1

        def may_retry(error: BaseException | None) -> bool:
            return attempt < self._rules.attempts and permission.given and inbox.complete and is_conflict(error)

        while True:
            exchange = _Exchange(Block(self._db, options), send, self._rules.rollback_from, may_retry)
            running = exchange.run(self.app, scope, inbox)
            if attempt > 1 or isinstance(inbox, Watched):
                failure = await _in_task(running, context.copy(), exchange, inbox)
            else:
                failure = await running
            if failure is None:
                return
            if exchange.started or not may_retry(exchange.first):
                raise failure
            await asyncio.sleep(pause_after(attempt))
            attempt += 1
            inbox.rewind()
            scope.clear()
            scope.update(as_it_came)


async def _in_task(
    running: Coroutine[Any, Any, BaseException | None], context: Context, exchange: _Exchange, inbox: Inbox
) -> BaseException | None:
    """Run in a task and context of its own; cancel it when the client goes away before the response starts."""
    working = asyncio.get_running_loop().create_task(running, context=context)
    gone = asyncio.ensure_future(inbox.disconnected())
    try:
        await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        if not exchange.ended:
            working.cancel()
        await asyncio.wait([working])
    finally:
        gone.cancel()
        if not working.done():  # this task was cancelled
            working.cancel()
            await asyncio.wait([working])
    return None if working.cancelled() else working.result()


class _Exchange:
    """One run of the application in a transaction.

    ``ended``: the transaction is over, or ends now; ``started``: something was sent. ``first``: the server's error.
    """

    def __init__(
        self, block: Block, send: Send, rollback_from: int, may_retry: Callable[[BaseException | None], bool]
    ) -> None:
        self.ended = self.started = False
        self.first: BaseException | None = None
        self._failure: BaseException | None = None
        self._block = block
        self._send = send
        self._rollback_from = rollback_from
        self._may_retry = may_retry

    async def run(self, app: App, scope: Any, inbox: Inbox) -> BaseException | None:
        """Return what it failed with. A cancellation is raised."""
        await self._block.__aenter__()
        try:
            await app(scope, inbox.receive, self.send)
        except BaseException as error:
            if self.ended:
                explain(error)
            else:
                self.ended = True
                self.first = await self._block.roll_back(error)
            if not isinstance(error, Exception):
                raise
            return self._failure or error
        if not self.ended:
            self.ended = True
            await self._block.roll_back()
        return self._failure  # where the application has swallowed it

    async def send(self, message: Message) -> None:
        """What the application sends with. The transaction ends before the response starts."""
        if self._failure is not None:
            raise self._failure
        if not self.ended and message["type"] == "http.response.start":
            self.ended = True
            try:
                await self._end(message["status"])
            except BaseException as error:
                self.first = self._failure = error
                raise
        self.started = self.started or message["type"] == "http.response.start"
        await self._send(message)

    async def _end(self, status: int) -> None:
        if status < self._rollback_from:
            await self._block.commit()
            return
        error = await self._block.roll_back()
        if error is not None and self._may_retry(error):
            raise error


def lifespan(*databases: AsyncDatabase | Database) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Make the ``lifespan=`` of a Starlette, FastAPI or Litestar application, which closes the databases at its end.

    Nothing is connected at its start: a Database connects when it is first used.
    """
    checked = [check(db) for db in databases]

    @asynccontextmanager
    async def close_at_the_end(app: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for db in checked:
                if isinstance(db, AsyncDatabase):
                    await db.close()
                else:
                    await in_thread(db.close)

    return close_at_the_end
