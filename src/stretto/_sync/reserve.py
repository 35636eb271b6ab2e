# Generated from src/stretto/_async/reserve.py by tools/make_sync.py: do not edit.
"""Connections that a copy of a table on asyncio holds from its beginning to its end."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from stretto._sync.connection import Connection
from stretto._sync.lanes import Lane, is_in_parallel, turn_of
from stretto.errors import Error
from stretto.runtime.blocking import Link


class Reserve(Lane):
    """A Database of which all that is asked here runs on connections that were taken before.

    So whoever needs two of them at once does not wait for the second, which others hold who wait for one of his.
    """

    def __init__(self, db: Any) -> None:
        super().__init__(db)
        self._free: list[Link] = []

    def __repr__(self) -> str:
        return repr(self._db)

    def hold(self, least: int, most: int) -> int:
        """Take connections, and return how many; beyond ``least`` only such as nobody has.

        Those who do so take turns. Raises PoolTimeout and its kin; StatementTimeout at the deadline.
        """
        if is_in_parallel(self._db):  # the source of a load, whose turn it is
            self._hold(least, least)
        else:
            with turn_of(self._db):
                self._hold(least, most)
        return len(self._free)

    def _hold(self, least: int, most: int) -> None:
        while len(self._free) < least or (len(self._free) < most and self._has_room()):
            self._free.append(self._db._acquire())

    def _has_room(self) -> bool:
        now = self._db.stats()
        return not now.waiting and (now.idle > 0 or now.connections + now.opening < now.size)

    def end(self) -> None:
        """Give all back."""
        while self._free:
            self._db._give(self._free.pop())

    def _take(self, timeout: float | None, since: float = 0.0) -> Any:
        """One of those that are held; another one where they were lost."""
        while self._free:
            link = self._free.pop()
            if not link.closed:
                return link
        return self._db._take(timeout, since)

    def _give(self, link: Link) -> None:
        if link.closed or link.recovering or link.machine.status != "I" or not link.machine.idle():
            self._db._give(link)
        else:
            self._free.append(link)

    def _run(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        return super()._run(flow, self._db._timeout if timeout is None else timeout, exclusive, since)

    def _alone(
        self, flow: Generator[Any, Any, Any], timeout: float | None, exclusive: bool = False, since: float = 0.0
    ) -> Any:
        link = self._take(timeout)
        try:
            return link.run(flow, timeout)
        finally:
            self._give(link)

    def tidy(self, sql: str, timeout: float) -> None:
        """Execute what puts things back; where the held connections are lost, on a new one."""
        try:
            self.execute(sql, timeout=timeout)
        except Error:
            self._db.execute(sql, timeout=timeout)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One of them in hand; it does not come back here."""
        link = self._acquire()
        connection = Connection(link, self._shared)
        try:
            yield connection
        finally:
            connection._part(self._db._pool)
