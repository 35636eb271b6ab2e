# Generated from src/stretto/_async/parts.py by tools/make_sync.py: do not edit.
"""Copying one part of a table: the bytes of a COPY out feed a COPY in, or rows pass a function; and what was copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from stretto._sync.connection import Connection
from stretto._sync.session import session_of
from stretto.errors import CopyDiffers, Error
from stretto.flows import copy, described, moving
from stretto.flows.ambient import NOTHING, present, scope_of, surroundings
from stretto.flows.batches import StreamReader
from stretto.flows.moved import CopiedPart, CopyProgress
from stretto.flows.moving import Order, Pair, Part
from stretto.flows.names import quote_table
from stretto.runtime.jobs import Jobs

TOLD = 1000  # rows that are transformed between two calls of progress
TIDYING = 5.0  # seconds for putting things back after a copy that failed


class Parts:
    """What the jobs of one copy have in common. ``source`` and ``target`` are two Databases."""

    def __init__(self, source: Any, target: Any, order: Order) -> None:
        self._source = source
        self._target = target
        self._order = order
        self._jobs = Jobs()
        self._inside = scope_of(target) is not None
        self._reading_inside = scope_of(source) is not None
        self._pairs: list[Pair] = []
        self._parts: list[Part] = []
        self._into = order.into
        self._names: list[str] = []  # the target's columns; with a transform, those of its first row
        self._keys: frozenset[str] = frozenset()
        self._landed: dict[Part, CopiedPart] = {}
        self._expected: int | None = None
        self._plain = True
        self._rows = self._bytes = self._dropped = 0
        self._moved: int | None = None  # rows of a staged copy that came to where they belong
        self._read = [0, 0]  # the count and the checksum of what was read
        self._verified = False

    @contextmanager
    def _plainly(self, database: Any) -> Iterator[None]:
        """Have values written and read in one way, and all of a table's; what the caller has set is put back.

        The target's settings come back with the savepoint in which they were made.
        """
        reading = database is self._source
        lent = self._reading_inside if reading else self._inside
        whole = reading and not self._order.is_query
        settings = {**described.SETTINGS, **described.WHOLE} if whole else described.SETTINGS
        keep = database.fetchrow(described.keep_sql(settings)) if lent else None
        put = described.set_sql(settings)
        database.execute(put, *settings.values())
        try:
            yield
        except BaseException:
            if keep is not None and reading:
                with suppress(Error), surroundings(NOTHING.inside(present().scope)):  # no deadline
                    database.execute(put, *keep, timeout=TIDYING)
            raise
        if keep is not None:
            database.execute(put, *keep)

    def _copy(self, part: Part) -> CopiedPart:
        """Copy a part; the target's transaction and the source's are open."""
        if self._order.transform is None:
            rows, size = self._pass_on(part)
        else:
            rows, size = self._transform(part), 0
        if self._order.verify:
            self._read_again(part, rows)
        return CopiedPart(part.source, part.where.strip(), rows, size)

    def _pass_on(self, part: Part) -> tuple[int, int]:
        """Feed one COPY with the bytes of the other."""
        size = [0, 0]
        form = self._format()
        with session_of(self._source) as session:
            data: Any = self._data(session, part.copy([pair.source for pair in self._pairs], form), size)
            sql = copy.copy_sql(self._into, self._names, "FROM STDIN", form, {})
            try:
                with session_of(self._target) as writing:
                    messages = writing._messages(StreamReader(), next(data, None), data)
                    said = writing._copy_messages(sql, messages)
            finally:
                data.close()
        self._tell(moving.count_of(said) - size[0], 0)  # the end of the data came as a row, too
        return moving.count_of(said), size[1]

    def _format(self) -> str:
        return "text" if self._order.transform is None and not all(pair.agree for pair in self._pairs) else "binary"

    def _data(self, session: Connection, sql: str, size: list[int]) -> Iterator[bytes]:
        """What a COPY out says, as it comes."""
        request = session._run(session._claimed(copy.start(sql, copy.COPY_OUT)), None)
        try:
            while True:
                data, rows = session._drive(moving.receive_joined(request, sql), None)
                if not data:
                    break
                self._jobs.check()
                self._tell(rows, len(data))
                size[0] += rows
                size[1] += len(data)
                yield data
        except BaseException:
            session._link.give_up(request)
            raise
        finally:
            session._copying = False
        session._drive(copy.finish(request, sql), None)

    def _transform(self, part: Part) -> int:
        """Feed a COPY with what the hook makes of each row."""
        rows: Any = self._changed(part)
        try:
            first = next(rows, None)
            if first is None:
                return 0
            with self._jobs.lock:
                self._names = self._names or list(first)
                self._keys = frozenset(self._names)
            with session_of(self._target) as session:
                said = session.copy_in(self._into, _behind(first, rows), columns=self._names)
            return moving.count_of(said)
        finally:
            rows.close()

    def _changed(self, part: Part) -> Iterator[dict[str, Any]]:
        transform = self._order.transform
        assert transform is not None
        read = dropped = 0
        with session_of(self._source) as session:
            rows: Any = session.stream(part.select(moving.renamed(self._pairs)), into=dict)
            try:
                for row in rows:
                    read += 1
                    changed = moving.transformed(row, transform, self._keys)
                    if changed is not None:
                        yield changed
                    else:
                        dropped += 1
                    if read >= TOLD:
                        self._jobs.check()
                        self._tell(read, 0, dropped)
                        read = dropped = 0
            finally:
                rows.close()
        self._tell(read, 0, dropped)

    def _tell(self, rows: int, size: int, dropped: int = 0) -> None:
        with self._jobs.lock:
            self._rows += rows
            self._bytes += size
            self._dropped += dropped
            if self._order.progress is not None:
                done = len(self._landed)
                self._order.progress(CopyProgress(self._rows, self._bytes, done, len(self._parts), self._expected))

    # What was read, and what is there -----------------------------------------------------------------------------

    def _read_again(self, part: Part, rows: int) -> None:
        """Count and add up a part in the source, in its snapshot. Rows that were transformed are counted here."""
        found = (rows, 0)
        if self._order.transform is None:
            exact = [pair.expressions()[0] for pair in self._pairs]
            found = self._sum(self._source, exact, part.source, part.where)
        with self._jobs.lock:
            self._read = [self._read[0] + found[0], self._read[1] + found[1]]

    def _written(self, table: Any, where: str = "") -> tuple[int, int]:
        exact = [] if self._order.transform is not None else [pair.expressions()[1] for pair in self._pairs]
        return self._sum(self._target, exact, quote_table(table), where)

    def _sum(self, database: Any, exact: list[str], source: str, where: str) -> tuple[int, int]:
        count, total = database.fetchrow(moving.sum_sql(exact, source, where, self._plain))
        return count, int(total)

    def _compare(self, table: Any, where: str, before: tuple[int, int] = (0, 0)) -> str | None:
        """Raise CopyDiffers where the target has not what was read."""
        if not self._order.verify:
            return None
        count, total = self._written(table, where)
        count, total = count - before[0], total - before[1]
        if [count, total] != self._read:
            raise CopyDiffers(moving.differs(self._order.into, self._read[0], count))
        self._verified = True
        return None if self._order.transform is not None else f"{total % (1 << 64):016x}"


def _behind(first: Any, rows: Any) -> Iterator[Any]:
    yield first
    for row in rows:
        yield row
