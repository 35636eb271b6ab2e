"""Copying a table from one AsyncDatabase to another: parts of one snapshot, each a COPY out that feeds a COPY in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any

from stretto._async.parts import TIDYING, Parts
from stretto._async.reserve import AsyncReserve
from stretto._async.session import session_of
from stretto.errors import BulkError, CommitUnknown, Error, UsageError
from stretto.flows import described, moving
from stretto.flows.ambient import NOTHING, present, surroundings
from stretto.flows.described import Column, Leaf, Relation
from stretto.flows.moved import CopiedPart, TableCopy
from stretto.flows.moving import Order, Part
from stretto.flows.names import quote_literal, quote_table
from stretto.flows.query import describe
from stretto.runtime.ajobs import arun_jobs


class Move(Parts):
    """One copy of one table."""

    def __init__(self, source: Any, target: Any, order: Order) -> None:
        super().__init__(source, target, order)
        self._relation: Relation | None = None
        self._columns: list[Column] = []
        self._todo: list[Part] = []
        self._snapshot = ""
        self._unknown: list[CopiedPart] = []
        self._xids: list[int] = []
        self._count = order.jobs  # the jobs that there are connections for

    async def run(self) -> TableCopy:
        """Copy, and return the report."""
        self._check()
        if self._order.jobs == 1 and self._order.atomic:
            return await self._run()
        async with self._holding():
            return await self._run()

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[None]:
        """Hold what all jobs need, or as much of it as can be had: enough for one job, lest copies wait for each other.

        Those who need two Databases take from them in the same order.
        """
        order = self._order
        source, target = self._reading, self._writing = AsyncReserve(self._source), AsyncReserve(self._target)
        apart = {source: 0 if self._reading_inside else 1, target: 1 if order.staged else 0}
        try:
            for reserve in sorted(apart, key=lambda one: id(one._db)):
                found = await reserve.hold(apart[reserve] + 1, apart[reserve] + self._count) - apart[reserve]
                self._count = min(self._count, found)
            if not self._reading_inside:
                self._source = source
            self._target = target
            yield
        finally:
            for reserve in apart:
                await reserve.end()

    async def _run(self) -> TableCopy:
        begun = monotonic()
        if not self._order.is_query:
            self._relation = await self._look_at(self._source, self._order.source, "source")
        if self._reading_inside:
            return self._report(begun, await self._all(begun))
        async with self._snapshot_of_all():
            checksum = await self._all(begun)
        return self._report(begun, checksum)

    @asynccontextmanager
    async def _snapshot_of_all(self) -> AsyncIterator[None]:
        """A transaction of the source. When all was read and written, it does not matter any more how it ends."""
        ended = False
        try:
            async with self._source.transaction(isolation="repeatable_read", readonly=True):
                yield
                ended = True
        except Error:
            if not ended:
                raise

    def _check(self) -> None:
        order = self._order
        if self._source is self._target:
            raise UsageError("the source is the target: INSERT ... SELECT copies inside one database")
        if order.jobs == 1 and order.atomic:
            return
        if self._inside:
            raise UsageError("inside a transaction() of the target the rows go into that: jobs=1 and atomic=True")
        for database, needed in ((self._source, order.jobs + 1), (self._target, order.jobs + order.staged)):
            size = database.stats().size
            if size < needed:
                raise UsageError(f"jobs={order.jobs}: {database!r} needs connections={needed}, and has {size}")

    async def _all(self, begun: float) -> str | None:
        order = self._order
        if self._relation is not None and self._relation.kind in ("r", "p"):
            # Before the snapshot is taken: a table that was truncated behind it would look empty.
            await self._source.execute(f"lock table {quote_table(order.source)} in access share mode")
        async with self._plainly(self._source):
            await self._look()
            if order.jobs == 1 and order.atomic:
                return await self._at_once()
            self._snapshot = await self._source.fetchval(described.SNAPSHOT)
            return await (self._staged() if order.staged else self._by_part(begun))

    # What there is ------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Find the columns and the parts."""
        order = self._order
        leaves: list[Leaf] = []
        if self._relation is None:
            self._columns = await self._query_columns()
        else:
            self._columns = await self._source.fetch(described.COLUMNS, self._relation.oid, into=Column)
            leaves = await self._source.fetch(described.LEAVES, self._relation.oid, into=Leaf)
        parts = moving.parts_of(order, leaves, self._relation.version if self._relation is not None else 0)
        self._expected = moving.expected_rows(leaves)
        self._parts, self._todo = parts, parts[::-1]
        theirs = None
        if not order.create:
            target = await self._look_at(self._target, order.into, "target")
            theirs = await self._target.fetch(described.COLUMNS, target.oid, into=Column)
        self._pairs = moving.pairs_of(order, self._columns, theirs)
        if order.transform is None:
            self._names = [pair.target.name for pair in self._pairs]
        if order.verify:
            ours, encoding = [await db.fetchval("show server_encoding") for db in (self._source, self._target)]
            self._plain = ours == encoding

    async def _look_at(self, database: Any, name: Any, side: str) -> Relation:
        found: Relation | None = await database.fetchrow(described.RELATION, quote_table(name), into=Relation)
        if found is None:
            raise UsageError(f"the {side} has no table {quote_table(name)}")
        return found

    async def _query_columns(self) -> list[Column]:
        async with session_of(self._source) as session:
            sql = f"select * from {self._order.source_sql()} limit 0"  # noqa: S608  # the caller's own SQL
            statement = await session._run(describe(session._shared, sql), None)
        found = statement.columns
        arrays = [c.name for c in found], [c.type_oid for c in found], [c.type_modifier for c in found]
        columns: list[Column] = await self._source.fetch(described.QUERY_COLUMNS, *arrays, into=Column)
        return columns

    # The three ways -----------------------------------------------------------------------------------------------

    async def _at_once(self) -> str | None:
        """All in one transaction, or in a savepoint of the one that is open: what fails leaves nothing there."""
        async with self._target.transaction(), self._plainly(self._target):
            return await self._in_one()

    async def _in_one(self) -> str | None:
        order = self._order
        if order.create:
            await self._target.execute(moving.create_sql(order.into, self._pairs))
        before = await self._written(order.into) if self._inside and order.verify else (0, 0)
        for part in self._parts:
            self._landed[part] = await self._copy(part)
        await self._add_key(order.into)
        return await self._compare(order.into, "" if self._inside else await self._by_me(), before)

    async def _staged(self) -> str | None:
        """Into a table of its own, and from there in one transaction to where it belongs.

        One connection makes that table and empties it: a server that crashes, and so empties what has no log, ends
        that connection, and with it the copy.
        """
        order = self._order
        staging = self._into = order.staging()
        make = moving.create_sql(staging, self._pairs) if order.create else moving.staging_sql(staging, order.into)
        target = self._target
        try:
            async with target.connection() as keeper:
                await keeper.execute(make)
                await self._have_it_done()
                self._target = keeper
                async with keeper.transaction(), self._plainly(keeper):
                    return await self._land(staging)
        except BaseException as error:
            await self._drop(target, staging, error)
            raise

    async def _land(self, staging: tuple[str, ...]) -> str | None:
        order = self._order
        if order.create:
            checksum = await self._compare(staging, "")
            await self._add_key(staging)
            await self._target.execute(moving.rename_sql(staging, order.into))
            return checksum
        if self._names:
            said = await self._target.execute(moving.land_sql(staging, order.into, self._names))
            self._moved = moving.count_of(said)  # a trigger may have left some out
        await self._target.execute(f"drop table {quote_table(staging)}")
        return await self._compare(order.into, await self._by_me())

    async def _by_me(self) -> str:
        """Restrict to what this transaction wrote."""
        return moving.by_transactions([await self._target.fetchval(described.XID)])

    async def _drop(self, target: Any, staging: tuple[str, ...], error: BaseException) -> None:
        """Drop the table in which rows waited; where a COMMIT was not answered but took place, it is gone already."""
        try:
            with surroundings(NOTHING):  # a deadline that has passed is not for this
                await target.tidy(f"drop table if exists {quote_table(staging)}", TIDYING)
        except Error as second:
            error.add_note(f"the table {quote_table(staging)} may be left in the target: {type(second).__name__}")

    async def _by_part(self, begun: float) -> str | None:
        """Each part by itself; what landed stays, and is told."""
        order = self._order
        if order.create:
            await self._target.execute(moving.create_sql(order.into, self._pairs))
        try:
            await self._have_it_done()
            await self._add_key(order.into)
            where = moving.by_transactions(self._xids) if self._xids else " where false"
            async with self._target.transaction(readonly=True), self._plainly(self._target):
                return await self._compare(order.into, where)
        except BaseException as error:
            report = self._report(begun, None)
            landed = f"{report.rows} rows in {len(report.parts)} of {len(self._parts)} parts are there and stay"
            doubt = f", of {len(report.unknown)} parts nobody knows" if report.unknown else ""
            if not isinstance(error, Exception):
                error.add_note(f"{landed}{doubt}")
                raise
            reason = f"{type(error).__name__}: {error}"
            raise BulkError(f"{landed}{doubt}; it ended with {reason}", report=report) from error

    async def _add_key(self, table: Any) -> None:
        if self._order.create and (sql := moving.key_sql(table, self._pairs, self._columns)) is not None:
            await self._target.execute(sql)

    # The jobs -----------------------------------------------------------------------------------------------------

    async def _have_it_done(self) -> None:
        """Copy all parts, by the jobs."""
        self._source = self._reading  # where it was the caller's transaction, that has the snapshot
        await arun_jobs(self._jobs, self._count, self._work)

    # A part -------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """One job: part after part, in the snapshot of all."""
        with surroundings(present().inside(None)):
            async with self._snapshot_of_all():
                await self._source.execute(f"set transaction snapshot {quote_literal(self._snapshot)}")
                async with self._plainly(self._source):
                    while self._todo:
                        self._jobs.check()
                        with self._jobs.lock:
                            part = self._todo.pop() if self._todo else None
                        if part is not None:
                            await self._commit(part)

    async def _commit(self, part: Part) -> None:
        """Copy a part in a transaction of its own."""
        copied: CopiedPart | None = None
        try:
            async with self._target.transaction() as block, self._plainly(self._target):
                copied = await self._copy(part)
                xid = await self._target.fetchval(described.XID)
                block.on_commit(partial(self._has_landed, part, copied, xid))  # whoever may be cancelled meanwhile
        except CommitUnknown:
            if copied is not None:
                self._unknown.append(copied)
            raise
        self._tell(0, 0)

    def _has_landed(self, part: Part, copied: CopiedPart, xid: int) -> None:
        with self._jobs.lock:
            self._landed[part] = copied
            self._xids.append(xid)

    def _report(self, begun: float, checksum: str | None) -> TableCopy:
        landed = [self._landed[part] for part in self._parts if part in self._landed]
        return TableCopy(
            table=quote_table(self._order.into),
            rows=sum(part.rows for part in landed) if self._moved is None else self._moved,
            dropped=self._dropped,
            bytes=self._bytes,
            seconds=monotonic() - begun,
            format=self._format(),
            parts=tuple(landed),
            unknown=tuple(self._unknown),
            verified=self._verified,
            checksum=checksum,
        )
