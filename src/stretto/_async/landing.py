"""What becomes of one block of a bulk load: a chunk, a part of a transaction, or of what is staged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from time import monotonic
from typing import Any

from stretto._async.lanes import AsyncLane
from stretto._async.session import session_of
from stretto.errors import CommitUnknown, DatabaseError, Error
from stretto.flows import staging
from stretto.flows.ambient import scope_of
from stretto.flows.batches import Block, Reader, Record, row_at
from stretto.flows.bulk import Chunk, Job, Rejected, is_rows_fault, locate, name_row
from stretto.flows.copy import copy_sql
from stretto.flows.rows import Target
from stretto.runtime.asources import aeach

Refused = tuple[int, DatabaseError]  # the number of a row, and why

IMMEDIATE = "set constraints all immediate"


class Landing:
    """What all blocks of one load have in common: what is to be done, and what has landed so far."""

    def __init__(self, db: Any, job: Job) -> None:
        self._db = db
        self._job = job
        self._target = Target.of(job.target)
        self._inside = scope_of(db) is not None
        self._door: Any = db if self._inside else AsyncLane(db)
        self._apart = job.errors == "report"
        self._into: Any = self._target.name  # a COPY goes here: the target or a staging table
        self._merging = job.on_conflict is not None  # whether a block goes by way of a temporary table
        self._columns: Sequence[str] | None = None
        self._format = job.format or "binary"
        self._options = dict(job.options)
        self._reader: Any = Reader()
        self._begun = monotonic()
        self._sent = self._bytes = 0
        self._key: list[str] = []  # by what rows are there already
        self._chunks: list[Chunk] = []
        self._unknown: list[Chunk] = []
        self._rejected: list[Rejected] = []

    # One block --------------------------------------------------------------------------------------------------------

    async def _land(self, block: Block) -> None:
        """A chunk, in its own transaction."""
        chunk = Chunk(block.first, block.stop, 0)
        try:
            rows, rejected = await self._bring_all(block)
        except CommitUnknown:
            self._unknown.append(chunk)
            raise
        self._chunks.append(replace(chunk, rows=rows))
        self._rejected += rejected

    async def _bring_all(self, block: Block) -> Any:
        """Bring a chunk; where bad rows are left out and one breaks a constraint that is deferred, again."""
        try:
            return await self._door.transact(self._bring, block)
        except DatabaseError as error:
            await self._find(block, error)
            if not self._apart or not is_rows_fault(error):
                raise
        return await self._door.transact(self._bring, block, IMMEDIATE)

    async def _bring(self, block: Block, before: str = "") -> tuple[int, list[Rejected]]:
        """How many of a chunk's rows have landed, and those that have not; it may be called again."""
        refused: list[Refused] = []
        if before:
            await self._door.execute(before)
        await self._stage()
        rows = await (self._isolate(block.records, refused) if self._apart else self._fill(block))
        await self._unstage()
        await self._ask_xid()
        return rows, [Rejected.by(*one) for one in refused]

    async def _land_part(self, block: Block) -> None:
        """A part of the one transaction."""
        refused: list[Refused] = []
        self._chunks.append(Chunk(block.first, block.stop, await self._isolate(block.records, refused)))
        self._rejected += [Rejected.by(*one) for one in refused]

    async def _land_staged(self, block: Block) -> None:
        """A part of what is staged; alone on its connection."""
        try:
            async with self._door.transaction():
                await self._fill(block)
                await self._ask_xid()
        except DatabaseError as error:
            await self._find(block, error)
            raise

    async def _find(self, block: Block, error: DatabaseError) -> None:
        """Raise the error that names the first bad row of a block, where this one names none.

        For this the block is brought again, part by part, in a transaction that is rolled back.
        """
        if self._apart or error.row is not None or not is_rows_fault(error):
            return
        records = self._reader.records(block)
        refused: list[Refused] = []
        with suppress(Error):
            async with self._door.transaction():
                await self._door.execute(IMMEDIATE)
                await self._stage()
                await self._isolate(records, refused)
                raise error  # all of it is rolled back
        for number, found in refused:
            if found.row is None:
                name_row(found, number, self._reader.line_of(number, block, records))
            raise found from None

    async def _isolate(self, records: list[Record], refused: list[Refused]) -> int:
        """Land records without those that the server refuses, each of which is found; or up to the first of these."""
        landed, todo = 0, [records] if records else []
        while todo:
            part = todo.pop()
            try:
                async with self._door.transaction():
                    rows = await self._fill(Block(part[0][0], messages=[self._reader.message(part)]))
                landed += rows
            except DatabaseError as error:
                if not is_rows_fault(error):
                    raise
                if len(part) == 1:
                    refused.append((part[0][0], error))
                    if not self._apart:
                        return landed
                    continue
                bad = row_at(error, part, self._reader.lines)
                cuts = (0, len(part) // 2, len(part)) if bad is None else (0, bad, bad + 1, len(part))
                todo += [part[a:b] for a, b in reversed(list(pairwise(cuts))) if a < b]
        return landed

    async def _fill(self, block: Block) -> int:
        """Bring a block to where it belongs, in the open transaction."""
        async with session_of(self._door) as connection:
            rows = await self._copy_block(connection, block)
        if not self._merging:
            return rows
        rows = await self._merge(self._door)
        await self._door.execute(staging.empty(self._into))
        return rows

    async def _copy_block(self, connection: Any, block: Block) -> int:
        messages = [self._reader.begin(), *block.messages, self._reader.finish()]
        try:
            return await self._send(connection, aeach(messages))
        except Error as error:
            if not self._apart:
                locate(error, block.first, block.line if self._reader.lines else None)
            raise

    async def _send(self, connection: Any, messages: AsyncIterator[bytes]) -> int:
        tag: str = await connection._copy_messages(self._copy_sql(), messages)
        return int(tag.rpartition(" ")[2])

    def _copy_sql(self) -> str:
        return copy_sql(self._into, self._columns, "FROM STDIN", self._format, self._options)

    # Staging ----------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """The transaction of all; where one is open, that, with a savepoint where there is more than the COPY."""
        if self._inside and self._job.on_conflict is None and not self._apart:
            yield
        else:
            async with self._door.transaction():
                yield

    async def _stage(self) -> None:
        if self._merging:
            await self._door.execute(staging.create_temporary(self._target.sql, self._columns or ()))
            self._into = (staging.TEMPORARY,)

    async def _ask_xid(self) -> None:
        """Ask for the transaction's number before its COMMIT, whose answer may be lost; COPY itself can't be asked."""
        scope = scope_of(self._door)
        if scope is not None and not self._inside:
            async with session_of(self._door) as connection:
                await connection._link.run(scope.trunk.xid.settle(), None)

    async def _unstage(self) -> None:
        if self._merging and self._inside:  # that transaction goes on, and another load may come
            await self._door.execute(staging.drop(staging.quoted(self._into)))

    async def _merge(self, door: Any) -> int:
        version = None if self._target.table is None else self._target.table.version
        columns = self._columns or ()
        sql = staging.merge(
            staging.quoted(self._into),
            self._target.sql,
            columns,
            self._job.on_conflict,
            self._key,
            self._target.primary_key(),
            None if version is None else version.column,
        )
        tag = await door.execute(sql)
        return int(tag.rpartition(" ")[2])
