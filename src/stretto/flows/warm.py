"""The warm case of a fetch, compiled: nearly every call is one.

A Fetch does what a generator of ``flows.query`` does, without being one: ``send`` gives the request and then the
result. Whatever is not a known statement with a plain answer is left to the generator ``cold``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from stretto.codecs.base import UnknownTypes
from stretto.errors import DecodeError, EncodeError
from stretto.flows.shared import Shared
from stretto.protocol.request import Request
from stretto.protocol.rows import decode_rows
from stretto.protocol.statement import Statement

Rest = Generator[Request, Any, Any]


class Fetch:
    """A flow that gives the rows of a statement, or what ``finish`` makes of their list.

    ``maker_for`` and ``cold`` are those of ``flows.query``.
    """

    def __init__(
        self,
        shared: Shared,
        sql: str,
        args: tuple[Any, ...],
        into: Any,
        finish: Callable[[list[Any]], Any] | None,
        maker_for: Callable[[Statement, Any], Any],
        cold: Callable[..., Rest],
    ) -> None:
        self._shared = shared
        self._sql = sql
        self._args = args
        self._into = into
        self._finish = finish
        self._maker_for = maker_for
        self._cold = cold
        self._statement: Statement | None = None
        self._maker: Any = None
        self._rest: Rest | None = None
        self.result: Any = None

    def send(self, value: Request | None) -> Request:
        """Give the request (for None), or take its answer; raises StopIteration with the result, as a generator."""
        request = self.step(value)
        if request is None:
            raise StopIteration(self.result)
        return request

    def step(self, value: Request | None) -> Request | None:
        """As send, but give None at the end, when ``result`` is there: raising costs as much as decoding a row."""
        if self._rest is not None:
            return self._rest.send(value)
        if value is None:
            return self._begin()
        if not value.done or value.error is not None or value.failure is not None:
            return self._go_on((self._statement, value))
        rows: list[Any] = []
        if value.slices:
            statement = self._statement
            try:
                decode_rows(value.slices, statement.codecs, self._maker, rows)  # type: ignore[union-attr]  # set by _begin
            except UnknownTypes:
                return self._go_on((statement, value))
        self.result = rows if self._finish is None else self._finish(rows)
        return None

    def _begin(self) -> Request:
        statement = self._shared.statements.get(self._sql)
        if statement is None:
            return self._go_on(None)
        try:
            self._maker = self._maker_for(statement, self._into)
            request = statement.bind(self._args)
        except (EncodeError, DecodeError):
            return self._go_on(None)  # it is found out whether it is what was given or what we know of the statement
        self._statement = statement
        request.partial = True
        return request

    def _go_on(self, begun: tuple[Statement | None, Request] | None) -> Request:
        self._rest = self._cold(self._shared, self._sql, self._args, self._into, self._finish, begun)
        return self._rest.send(None)

    def __iter__(self) -> Fetch:
        return self

    def __next__(self) -> Request:
        return self.send(None)

    def throw(self, error: BaseException) -> Request:
        """Raise at the place where a generator would have waited."""
        if self._rest is None:
            raise error
        return self._rest.throw(error)

    def close(self) -> None:
        """End early."""
        if self._rest is not None:
            self._rest.close()
