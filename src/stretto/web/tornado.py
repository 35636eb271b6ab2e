"""For Tornado: a decorator that gives a handler's method a transaction, and mixins for start and stop."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial, wraps
from socket import socket
from typing import Any, TypeVar, overload

from tornado.httpserver import HTTPServer
from tornado.web import Application, Finish, RequestHandler

from stretto import AsyncDatabase, Database
from stretto.errors import UsageError
from stretto.web._block import check, in_thread
from stretto.web._rules import Refused

F = TypeVar("F", bound=Callable[..., Any])
_OUTPUT = ("_headers", "_status_code", "_reason", "_write_buffer", "_new_cookie")  # what a second attempt starts from
_HELD: tuple[str, ...] = ("finish", "flush")  # what sends

__all__ = ["ApplicationMixin", "HandlerMixin", "transactional"]


@overload
def transactional(db: F, /) -> F: ...
@overload
def transactional(
    db: AsyncDatabase | Database | None = None,
    *,
    isolation: str | None = None,
    readonly: bool = False,
    deferrable: bool = False,
    attempts: int = 1,
    timeout: float | None = None,
    rollback_from: int = 400,
) -> Callable[[F], F]: ...
def transactional(db: Any = None, *, attempts: int = 1, rollback_from: int = 400, **options: Any) -> Any:
    """Decorate a method of a handler, plain or async, to run in a transaction that is over before anything is sent.

    ``db``: the Database or AsyncDatabase, or nothing: then the handler's ``self.db`` (see HandlerMixin). ``finish()``,
    ``render()``, ``redirect()`` and ``send_error()`` send when COMMIT has taken place; when it fails, the error is
    raised and Tornado answers 500. An exception, HTTPError too, and a status of ``rollback_from`` or above roll back;
    so does a client that goes away while an async method runs: the method is cancelled. With more ``attempts`` than one
    the method is called again after 40001 and 40P01, and what it had written is forgotten; it must be safe to call
    again. The other keywords are those of ``transact()``. ``flush()`` inside raises UsageError.
    """
    if callable(db) and not isinstance(db, AsyncDatabase | Database):
        return _decorated(db, None, attempts, rollback_from, options)
    return partial(_decorated, db=db, attempts=attempts, rollback_from=rollback_from, options=options)


def _decorated(method: Any, db: Any, attempts: int, rollback_from: int, options: dict[str, Any]) -> Any:
    options = options | {"attempts": attempts}

    @wraps(method)
    def called(handler: RequestHandler, *args: Any, **keywords: Any) -> Any:
        database = check(db if db is not None else getattr(handler, "db", None))
        if inspect.iscoroutinefunction(method) and not isinstance(database, AsyncDatabase):
            raise UsageError(f"{method.__qualname__}() is async, so it needs an AsyncDatabase, not a blocking Database")
        response = _Response(handler, rollback_from, partial(method, handler, *args, **keywords))
        if isinstance(database, AsyncDatabase):
            return _transacted(response, database, options)
        with response:
            database.transact(response.attempt, **options)
        response.send()
        return None

    return called


async def _transacted(response: _Response, db: AsyncDatabase, options: dict[str, Any]) -> None:
    with response:
        # In a task of its own: Tornado's is not made to be cancelled.
        working = asyncio.ensure_future(db.transact(response.attempt_async, **options))
        response.when_closed(working.cancel)
        await working
    await response.send()


class _Response:
    """What a method writes, held back until its transaction has ended; as a context manager, around that."""

    def __init__(self, handler: RequestHandler, rollback_from: int, call: Callable[[], Any]) -> None:
        self._handler = handler
        self._rollback_from = rollback_from
        self._call = call
        self._before = {name: copy.copy(vars(handler)[name]) for name in _OUTPUT if name in vars(handler)}
        self._refused = self._finished = self._closed = False
        self._finish: Finish | None = None
        self._cancel: Callable[[], object] = bool

    def __enter__(self) -> None:
        own = vars(self._handler)
        self._own = {name: own[name] for name in _HELD if name in own}  # a WebSocket's handler has some
        self._was_finished = self._handler._finished
        own.update(finish=self._hold_finish, flush=self._hold_flush)
        self._connection.set_close_callback(self._on_close)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        handler = self._handler
        for name in _HELD:
            del vars(handler)[name]
        vars(handler).update(self._own)
        handler._finished = self._was_finished
        if not self._closed:
            self._connection.set_close_callback(handler.on_connection_close)
        elif isinstance(error, asyncio.CancelledError):
            handler.set_status(499, "Client Closed Request")  # for the log: nobody reads it
            return True
        return self._refused and isinstance(error, Exception)

    def attempt(self) -> None:
        """Run the method, from where the output was before it; raises Refused where it is to be rolled back."""
        self._start()
        try:
            found = self._call()
            if inspect.isawaitable(found):
                self._refuse(found)
        except Finish as finish:
            self._finish = finish
        self._judge()

    async def attempt_async(self) -> None:
        """The same for a method that is to be awaited."""
        self._start()
        try:
            found = self._call()
            if inspect.isawaitable(found):
                await found
        except Finish as finish:
            self._finish = finish
        self._judge()

    def send(self) -> asyncio.Future[None]:
        """Send what was held back. What is returned may be awaited."""
        if self._finish is not None:
            raise self._finish
        if self._finished:
            return self._handler.finish()
        return _done()

    def when_closed(self, cancel: Callable[[], object]) -> None:
        """What to do when the client goes away."""
        self._cancel = cancel

    @property
    def _connection(self) -> Any:
        return self._handler.request.connection

    def _start(self) -> None:
        self._refused = self._finished = self._handler._finished = False
        self._finish = None
        vars(self._handler).update({name: copy.copy(value) for name, value in self._before.items()})

    def _refuse(self, found: Any) -> None:
        """Nobody waits for what a method has returned that another decorator, as @gen.coroutine, has made async."""
        getattr(found, "close", getattr(found, "cancel", bool))()
        raise UsageError(
            f"a @transactional method of {type(self._handler).__name__} is async behind another decorator, so it needs "
            "an AsyncDatabase, not a blocking Database: what it has done was rolled back"
        )

    def _judge(self) -> None:
        self._refused = self._handler.get_status() >= self._rollback_from
        if self._refused:
            raise Refused("the request was refused")

    def _hold_finish(self, chunk: Any = None) -> asyncio.Future[None]:
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self._handler.write(chunk)
        self._finished = self._handler._finished = True  # so that nothing is written any more
        return _done()

    def _hold_flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        raise UsageError(
            "flush() in a @transactional method would send before COMMIT: use write(), or open a transaction() in the "
            "method and flush() behind it"
        )

    def _on_close(self) -> None:
        self._closed = True
        self._handler.on_connection_close()
        self._cancel()


def _done() -> asyncio.Future[None]:
    future = asyncio.get_event_loop().create_future()
    future.set_result(None)
    return future


class HandlerMixin(RequestHandler):
    """For handlers of an application that has a database: it is ``self.db``."""

    @property
    def db(self) -> Any:
        """The application's Database or AsyncDatabase."""
        return self.application.db  # type: ignore[attr-defined]  # an application with ApplicationMixin has one


class ApplicationMixin(Application):
    """For an application: has a database, ``db=``, and starts and stops with it."""

    def __init__(self, *args: Any, db: AsyncDatabase | Database, **settings: Any) -> None:
        self.db = check(db)
        super().__init__(*args, **settings)

    @asynccontextmanager
    async def serving(
        self, port: int | socket, address: str | None = None, *, timeout: float | None = 10.0, **options: Any
    ) -> AsyncIterator[HTTPServer]:
        """Listen (``options`` are those of ``listen()``) as long as the block runs, then stop and close the database.

        A socket in place of the port listens already; then ``options`` are those of HTTPServer. At the end no
        connection is taken any more, statements and transactions that have begun may end within ``timeout`` seconds,
        and then what is open is closed.
        """
        if isinstance(port, socket):
            server = HTTPServer(self, **options)
            server.add_socket(port)
        else:
            server = self.listen(port, address, **options)
        try:
            yield server
        finally:
            server.stop()
            if isinstance(self.db, AsyncDatabase):
                await self.db.close(timeout)
            else:
                await in_thread(self.db.close, timeout)
            await server.close_all_connections()
