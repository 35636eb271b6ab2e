"""For WSGI: a middleware that gives each request a transaction, in threads and under gevent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from stretto import Database
from stretto.errors import UsageError
from stretto.web._again import PERMISSION, Permission, is_conflict, pause_after
from stretto.web._rules import Refused, Rules, Safe, Skip, explain

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

__all__ = ["WSGITransactionMiddleware"]


class WSGITransactionMiddleware:
    """WSGI middleware: each request runs in a transaction, which is over before the response's first byte is sent.

    ``db``: a Database; the handler just uses it. The application runs up to its first piece of body that is not empty;
    then the transaction is committed. When that fails, the error goes on to the server, which answers 500. It is
    rolled back by an exception, a killed greenlet and a status of ``rollback_from`` or above. What runs behind the
    first piece of body (the rest of a stream, ``close()``) runs outside.

    The keywords are those of the ASGI middleware; ``skip`` may be a function of the WSGI environ. For a second attempt
    of ``@stretto.web.retryable`` handlers a body of at most ``replay`` bytes is read before the first. Raises
    UsageError for options that there are not.
    """

    def __init__(
        self,
        app: App,
        db: Database,
        *,
        isolation: str | None = None,
        safe: Safe | None = None,
        skip: Skip = (),
        rollback_from: int = 400,
        attempts: int = 5,
        replay: int = 1 << 20,
        timeout: float | None = None,
    ) -> None:
        if not isinstance(db, Database):
            raise UsageError(f"a WSGI application needs a stretto.Database, not {type(db).__name__}")
        self.app = app
        self._db = db
        self._rules = Rules(isolation, safe, skip, rollback_from, attempts, replay, timeout)
        db.transaction(isolation=isolation)  # says now what is wrong with it

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        options = self._rules.options(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), environ)
        if options is None:
            return self.app(environ, start_response)
        permission = Permission()
        before = PERMISSION.set(permission)
        try:
            response = self._run(environ, options, permission)
        finally:
            PERMISSION.reset(before)
        return response.give(start_response)

    def _run(self, environ: Environ, options: dict[str, Any], permission: Permission) -> _Response:
        """Run the application in a transaction, again after a conflict."""
        body = self._body(environ)
        as_it_came = dict(environ)
        attempt = 1

        def may_retry(error: BaseException | None) -> bool:
            return attempt < self._rules.attempts and permission.given and body is not None and is_conflict(error)

        while True:
            if body is not None:
                environ["wsgi.input"] = BytesIO(body)
            response = _Response(self.app, environ)
            first = self._transacted(response, options)
            if may_retry(first):
                response.close()
            elif response.failure is not None:
                response.close()
                raise response.failure
            else:
                return response
            time.sleep(pause_after(attempt))
            attempt += 1
            environ.clear()
            environ.update(as_it_came)

    def _transacted(self, response: _Response, options: dict[str, Any]) -> BaseException | None:
        """Begin a response in a transaction, and return the error of the server that has failed it, if any."""
        refused = False
        try:
            with self._db.transaction(**options):
                response.begin()
                refused = response.failure is not None or response.status >= self._rules.rollback_from
                if refused:
                    raise Refused("the request was refused")
        except Refused:
            return None
        except Exception as first:
            if not refused:
                response.failure = first
            return first
        except BaseException:
            response.close()
            raise
        return None

    def _body(self, environ: Environ) -> bytes | None:
        """The request's body where it is short and its length known, read for all attempts; else None."""
        if self._rules.attempts == 1 or environ.get("HTTP_TRANSFER_ENCODING"):
            return None
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > self._rules.replay:
            return None
        return environ["wsgi.input"].read(int(length)) if int(length) else b""


class _Response:
    """What an application answers, held back until the transaction has ended. ``failure``: what it has raised."""

    def __init__(self, app: App, environ: Environ) -> None:
        self.status = 0
        self.failure: Exception | None = None
        self._app = app
        self._environ = environ
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self._start: Callable[..., Any] | None = None  # the server's, once it may hear of it
        self._written: list[bytes] = []
        self._result: Iterable[bytes] = ()
        self._rest: Iterator[bytes] = iter(())
        self._whole = False  # the result can be given as it is

    def begin(self) -> None:
        """Run the application up to its first piece of body that is not empty."""
        try:
            self._result = self._app(self._environ, self._start_response)
            wrapper = self._environ.get("wsgi.file_wrapper")
            self._whole = isinstance(self._result, list | tuple) or (
                isinstance(wrapper, type) and isinstance(self._result, wrapper)
            )
            if not self._whole:
                self._rest = iter(self._result)
                self._written += self._up_to_first()
            if self._head is None:
                raise UsageError("the WSGI application has not called start_response()")
        except Exception as error:
            self.failure = error

    def give(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Start the response, and return its body."""
        self._start = start_response
        write = start_response(*(self._head or ()))
        if self._whole:
            for piece in self._written:
                write(piece)
            return self._result
        return self

    def __iter__(self) -> Iterator[bytes]:
        yield from self._written
        try:
            yield from self._rest
        except Exception as error:
            explain(error)
            raise

    def close(self) -> None:
        """Tell the application that its response is over."""
        close = getattr(self._result, "close", None)
        if close is not None:
            close()

    def _up_to_first(self) -> Iterator[bytes]:
        for piece in self._rest:
            if piece:
                yield piece
                return

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if self._start is not None:  # it can only say now what has gone wrong
            return self._start(status, headers, exc_info)  # type: ignore[no-any-return]  # what the server gives
        self._head = (status, headers)
        self.status = int(status[:3])
        return self._written.append
