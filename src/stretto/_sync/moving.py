# Generated from src/stretto/_async/moving.py by tools/make_sync.py: do not edit.
"""Copying a table from one Database to another: parts of one snapshot, each a COPY out that feeds a COPY in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from stretto._sync.connection import Connection
from stretto._sync.session import session_of
from stretto.errors import BulkError, CommitUnknown, CopyDiffers, Error, UsageError
from stretto.flows import copy, moving
from stretto.flows.ambient import NOTHING, ambient, scope_of, surroundings
from stretto.flows.moved import CopiedPart, CopyProgress, TableCopy
from stretto.flows.moving import Column, Leaf, Order, Pair, Part, Relation
from stretto.flows.names import quote_literal, quote_table
from stretto.flows.query import describe
from stretto.runtime.jobs import Jobs, run_jobs

TOLD = 1000  # rows that are transformed between two calls of progress


class Move:
    """One copy of one table. ``source`` and ``target`` are two Databases."""

    def __init__(self, source: Any, target: Any, order: Order) -> None:
        self._source = source
        self._target = target
        self._order = order
        self._jobs = Jobs()
        self._inside = scope_of(target) is not None
        self._reading_inside = scope_of(source) is not None
        self._relation: Relation | None = None
        self._pairs: list[Pair] = []
        self._columns: list[Column] = []
        self._parts: list[Part] = []
        self._todo: list[Part] = []
        self._expected: int | None = None
        self._plain = True
        self._snapshot = ""
        self._into = order.into
        self._names: list[str] = []  # the target's columns; with a transform, those of its first row
        self._keys: frozenset[str] = frozenset()
        self._landed: dict[Part, CopiedPart] = {}
        self._unknown: list[CopiedPart] = []
        self._xids: list[int] = []
        self._rows = 0
        self._bytes = 0
        self._dropped = 0
        self._read = [0, 0]  # the count and the checksum of what was read

    def run(self) -> TableCopy:
        """Copy, and return the report."""
        self._check()
        begun = monotonic()
        if not self._order.is_query:
            self._relation = self._look_at(self._source, self._order.source, "source")
        if not self._reading_inside:
            with self._source.transaction(isolation="repeatable_read", readonly=True):
                checksum = self._all(begun)
        else:
            checksum = self._all(begun)
        return self._report(begun, checksum)

    def _check(self) -> None:
        order = self._order
        if self._source is self._target:
            raise UsageError("the source is the target: INSERT ... SELECT copies inside one database")
        if order.jobs == 1 and order.atomic:
            return
        if self._inside:
            raise UsageError("inside a transaction() of the target the rows go into that: jobs=1 and atomic=True")
        for database, needed in ((self._source, order.jobs + 1), (self._target, order.jobs)):
            size = database.stats().size
            if size < needed:
                raise UsageError(f"jobs={order.jobs}: {database!r} needs connections={needed}, and has {size}")

    def _all(self, begun: float) -> str | None:
        order = self._order
        if self._relation is not None and self._relation.kind in ("r", "p"):
            # Before the snapshot is taken: a table that was truncated behind it would look empty.
            self._source.execute(f"lock table {quote_table(order.source)} in access share mode")
        with self._plainly(self._source):
            self._look()
            if order.jobs == 1 and order.atomic:
                return self._at_once()
            self._snapshot = self._source.fetchval(moving.SNAPSHOT)
            return self._staged() if order.staged else self._by_part(begun)

    # What there is ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find the columns and the parts."""
        order = self._order
        leaves: list[Leaf] = []
        if self._relation is None:
            self._columns = self._query_columns()
        else:
            self._columns = self._source.fetch(moving.COLUMNS, self._relation.oid, into=Column)
            leaves = self._source.fetch(moving.LEAVES, self._relation.oid, into=Leaf)
        parts = moving.parts_of(order, leaves, self._relation.version if self._relation is not None else 0)
        self._expected = moving.expected_rows(leaves)
        self._parts, self._todo = parts, parts[::-1]
        theirs = None
        if not order.create:
            target = self._look_at(self._target, order.into, "target")
            theirs = self._target.fetch(moving.COLUMNS, target.oid, into=Column)
        self._pairs = moving.pairs_of(order, self._columns, theirs)
        if order.transform is None:
            self._names = [pair.target.name for pair in self._pairs]
        if order.verify:
            ours, encoding = [db.fetchval("show server_encoding") for db in (self._source, self._target)]
            self._plain = ours == encoding

    def _look_at(self, database: Any, name: Any, side: str) -> Relation:
        found: Relation | None = database.fetchrow(moving.RELATION, quote_table(name), into=Relation)
        if found is None:
            raise UsageError(f"the {side} has no table {quote_table(name)}")
        return found

    def _query_columns(self) -> list[Column]:
        with session_of(self._source) as session:
            sql = f"select * from {self._order.source_sql()} limit 0"  # noqa: S608  # the caller's own SQL
            statement = session._run(describe(session._shared, sql), None)
        found = statement.columns
        arrays = [c.name for c in found], [c.type_oid for c in found], [c.type_modifier for c in found]
        columns: list[Column] = self._source.fetch(moving.QUERY_COLUMNS, *arrays, into=Column)
        return columns

    @contextmanager
    def _plainly(self, database: Any) -> Iterator[None]:
        """Have values written and read in one way; what the caller's transaction has set is put back."""
        lent = self._reading_inside if database is self._source else self._inside
        keep = database.fetchrow(moving.KEEP) if lent else None
        database.execute(moving.SET, *moving.SETTINGS.values())
        yield
        if keep is not None:
            database.execute(moving.SET, *keep)

    # The three ways -----------------------------------------------------------------------------------------------

    def _at_once(self) -> str | None:
        """All in one transaction, or in the one that is open."""
        if self._inside:
            with self._plainly(self._target):
                return self._in_one()
        with self._target.transaction(), self._plainly(self._target):
            return self._in_one()

    def _in_one(self) -> str | None:
        order = self._order
        if order.create:
            self._target.execute(moving.create_sql(order.into, self._pairs))
        before = self._written(order.into) if self._inside and order.verify else (0, 0)
        for part in self._parts:
            self._landed[part] = self._copy(part)
        self._add_key(order.into)
        return self._compare(order.into, "" if self._inside else self._by_me(), before)

    def _staged(self) -> str | None:
        """Into a table of its own, and from there in one transaction to where it belongs."""
        order = self._order
        staging = self._into = order.staging()
        make = moving.create_sql(staging, self._pairs) if order.create else moving.staging_sql(staging, order.into)
        self._target.execute(make)
        try:
            run_jobs(self._jobs, order.jobs, self._work)
            with self._target.transaction(), self._plainly(self._target):
                return self._land(staging)
        except CommitUnknown:
            raise  # it may have landed, and then there is nothing to drop
        except BaseException as error:
            self._drop(staging, error)
            raise

    def _land(self, staging: tuple[str, ...]) -> str | None:
        order = self._order
        if order.create:
            checksum = self._compare(staging, "")
            self._add_key(staging)
            self._target.execute(moving.rename_sql(staging, order.into))
            return checksum
        if self._names:
            self._target.execute(moving.land_sql(staging, order.into, self._names))
        self._target.execute(f"drop table {quote_table(staging)}")
        return self._compare(order.into, self._by_me())

    def _by_me(self) -> str:
        """Restrict to what this transaction wrote."""
        return moving.by_transactions([self._target.fetchval(moving.XID)])

    def _drop(self, staging: tuple[str, ...], error: BaseException) -> None:
        try:
            self._target.execute(f"drop table if exists {quote_table(staging)}")
        except Error as second:
            error.add_note(f"the table {quote_table(staging)} may be left in the target: {type(second).__name__}")

    def _by_part(self, begun: float) -> str | None:
        """Each part by itself; what landed stays, and is told."""
        order = self._order
        if order.create:
            self._target.execute(moving.create_sql(order.into, self._pairs))
        try:
            run_jobs(self._jobs, order.jobs, self._work)
            self._add_key(order.into)
            where = moving.by_transactions(self._xids) if self._xids else " where false"
            with self._target.transaction(readonly=True), self._plainly(self._target):
                return self._compare(order.into, where)
        except BaseException as error:
            report = self._report(begun, None)
            landed = f"{report.rows} rows in {len(report.parts)} of {len(self._parts)} parts are there and stay"
            doubt = f", of {len(report.unknown)} parts nobody knows" if report.unknown else ""
            if not isinstance(error, Exception):
                error.add_note(f"{landed}{doubt}")
                raise
            reason = f"{type(error).__name__}: {error}"
            raise BulkError(f"{landed}{doubt}; it ended with {reason}", report=report) from error

    def _add_key(self, table: Any) -> None:
        if self._order.create and (sql := moving.key_sql(table, self._pairs, self._columns)) is not None:
            self._target.execute(sql)

    # A part -------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """One job: part after part, in the snapshot of all."""
        with surroundings((ambient() or NOTHING).inside(None)):
            with self._source.transaction(isolation="repeatable_read", readonly=True):
                self._source.execute(f"set transaction snapshot {quote_literal(self._snapshot)}")
                with self._plainly(self._source):
                    while self._todo:
                        self._jobs.check()
                        with self._jobs.lock:
                            part = self._todo.pop() if self._todo else None
                        if part is not None:
                            self._commit(part)

    def _commit(self, part: Part) -> None:
        """Copy a part in a transaction of its own."""
        copied: CopiedPart | None = None
        xid = None
        try:
            with self._target.transaction(), self._plainly(self._target):
                copied = self._copy(part)
                xid = self._target.fetchval(moving.XID) if self._order.verify else None
        except CommitUnknown:
            if copied is not None:
                self._unknown.append(copied)
            raise
        with self._jobs.lock:
            self._landed[part] = copied
            self._xids += [] if xid is None else [xid]
        self._tell(0, 0)

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
            try:
                with session_of(self._target) as writing:
                    said = writing.copy_in(self._into, data, columns=self._names, format=form)
            finally:
                data.close()
        self._tell(moving.count_of(said) - size[0], 0)  # the end of the data came as a row, too
        return moving.count_of(said), size[1]

    def _format(self) -> str:
        return "text" if self._order.transform is None and not all(pair.agree for pair in self._pairs) else "binary"

    def _data(self, session: Connection, sql: str, size: list[int]) -> Iterator[bytes]:
        """What a COPY out says, as it comes."""
        request = session._run(copy.start(sql, copy.COPY_OUT), None)
        session._copying = True
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
        rows: Any = self._source.stream(part.select(moving.renamed(self._pairs)), into=dict)
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
        return None if self._order.transform is not None else f"{total % (1 << 64):016x}"

    def _report(self, begun: float, checksum: str | None) -> TableCopy:
        landed = [self._landed[part] for part in self._parts if part in self._landed]
        return TableCopy(
            table=quote_table(self._order.into),
            rows=sum(part.rows for part in landed),
            dropped=self._dropped,
            bytes=self._bytes,
            seconds=monotonic() - begun,
            format=self._format(),
            parts=tuple(landed),
            unknown=tuple(self._unknown),
            verified=self._order.verify and len(landed) == len(self._parts),
            checksum=checksum,
        )


def _behind(first: Any, rows: Any) -> Iterator[Any]:
    yield first
    for row in rows:
        yield row
