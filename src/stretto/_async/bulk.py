"""Bulk loads for asyncio: from a source into a table, over one connection or several."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic
from typing import Any

from stretto._async.landing import Landing
from stretto._async.lanes import AsyncKeptLane, in_parallel, is_in_parallel
from stretto._async.session import session_of
from stretto.errors import DatabaseError, Error
from stretto.flows import staging
from stretto.flows.ambient import NOTHING, scope_of, surroundings
from stretto.flows.batches import Batch, Block, reader_for
from stretto.flows.bulk import Chunk, Job, Progress, Report, advise, failed, locate
from stretto.flows.copy import copy_sql
from stretto.flows.frames import frame_of, lists_of
from stretto.flows.rows import columns_for
from stretto.runtime.acrew import Crew
from stretto.runtime.asources import acut, aeach, aitems_of
from stretto.runtime.aturns import value_of
from stretto.wire.frontend import COPY_DONE

TIDYING = 5.0  # seconds for a staging table of a load that failed to be dropped
DEFAULT_CHUNKS = 4  # connections of a load by chunks: one process encodes about as fast as four of the server's store


async def load(db: Any, job: Job) -> Report:
    """Do what copy_in() was asked for."""
    return await AsyncLoad(db, job).run()


class AsyncLoad(Landing):
    """One call of copy_in()."""

    async def run(self) -> Report:
        job = self._job
        frame = frame_of(job.source) if job.format is None else None
        source, columns = (job.source, job.columns) if frame is None else lists_of(frame, self._target, job.columns)
        items: AsyncGenerator[Any] = aitems_of(source, job.format) if frame is None else aeach(source)
        if job.chunk_size is not None and job.format is None:
            items = acut(items, job.chunk_size)
        try:
            first = await self._first(items)
            await self._prepare(first, columns)
            width = self._width()
            self._merging &= not job.atomic or width == 1
            if job.atomic and width == 1:
                await self._in_one(first, items)
            elif job.atomic:
                async with in_parallel(self._db):
                    await self._in_parallel(first, items, width)
            else:
                await self._by_chunks(first, items, width)
        finally:
            await items.aclose()
        return self._report()

    # Before -----------------------------------------------------------------------------------------------------------

    async def _first(self, items: AsyncGenerator[Any]) -> Any:
        """What comes first; in a transaction the source may not use it, from the first row on."""
        scope = scope_of(self._db)
        if scope is None or self._apart or not self._job.atomic:
            return await anext(items, None)
        scope.check()
        scope.trunk.copying = True
        try:
            return await anext(items, None)
        finally:
            scope.trunk.copying = False

    async def _prepare(self, first: Any, columns: Any) -> None:
        """Find the columns and how rows become them."""
        job, target, run, shared = self._job, self._target, self._db._run, self._db._shared
        cut = self._apart or not job.atomic or self._width() > 1
        sample = first[0] if job.format is None and first else None
        self._columns, plan = await run(columns_for(shared, target, job, columns, sample), None)
        self._reader = reader_for(job, plan, cut, self._apart)
        keyed = job.on_conflict == "update" or job.on is not None
        self._key = target.key_among(self._columns, job.on) if keyed and self._columns else []
        if cut and job.format is not None:
            self._options.pop("header", None)  # the reader keeps it apart

    def _width(self) -> int:
        """Over how many connections: as many as are asked for, and the pool has.

        In a transaction there is one, and bad rows are told from good ones in the one transaction of an atomic load.
        The source of a load over several connections waits for no further ones.
        """
        if self._inside or (self._job.atomic and (self._apart or is_in_parallel(self._db))):
            return 1
        room: int = self._db._pool.scheduler.size - (1 if self._job.atomic else 0)
        wanted = self._job.chunks or (1 if self._job.atomic else DEFAULT_CHUNKS)
        return max(1, min(wanted, room))

    # The three ways ---------------------------------------------------------------------------------------------------

    async def _in_one(self, first: Any, items: AsyncGenerator[Any]) -> None:
        """All in one transaction, on one connection."""
        async with self._transaction():
            await self._stage()
            if self._apart:
                crew = Crew(1, self._land_part)
                await self._produce(crew, first, items)
                if crew.failure is not None:
                    raise crew.failure
                copied, rows = self._reader.count, sum(chunk.rows for chunk in self._chunks)
            else:
                rows = await self._stream(first, items)
                copied = rows if self._reader.lines else self._reader.count
                if self._merging:
                    rows = await self._merge_all(self._door)
            await self._unstage()
            await self._ask_xid()
        self._chunks = [Chunk(0, copied, rows)]

    async def _stream(self, first: Any, items: AsyncGenerator[Any]) -> int:
        async with session_of(self._door) as connection:
            messages = connection._messages(self._reader, first, items, self._tell)
            try:
                return await self._send(connection, messages)
            except DatabaseError as error:
                if error.query == self._copy_sql():  # it is not the source's own
                    locate(error, 0, 0 if self._reader.lines else None)
                    advise(error)
                raise

    async def _merge_all(self, door: Any) -> int:
        try:
            return await self._merge(door)
        except DatabaseError as error:
            advise(error)
            raise

    async def _in_parallel(self, first: Any, items: AsyncGenerator[Any], width: int) -> None:
        """All or nothing over several connections: into an unlogged table, and from there in one transaction.

        That is the keeper's, who has made the table: the server's crash, which empties it, ends all who were connected.
        """
        async with self._db.connection() as keeper:
            name = await self._create_staging(keeper)
            crew = Crew(width, self._land_staged)
            try:
                await self._work_off(crew, first, items)
                door = AsyncKeptLane(self._db, keeper)
                async with door.transaction():
                    rows = await self._merge_all(door)
                    await door.execute(staging.drop(staging.quoted(name)))
            except BaseException:
                with suppress(Error), surroundings(NOTHING):  # a deadline that has passed is not for this
                    await keeper.execute(staging.drop(staging.quoted(name)), timeout=TIDYING)
                raise
        self._chunks = [Chunk(0, self._reader.count, rows)]

    async def _create_staging(self, keeper: Any) -> tuple[str, ...]:
        """Make the unlogged table, and drop those that loads before left when they were killed."""
        schema = await keeper.fetchval(staging.SCHEMA, self._target.sql)
        async with self._door.transaction():
            for left in await self._door.fetch(staging.ABANDONED, self._target.sql, into=str):
                await self._door.execute(staging.drop(left))
        name = (schema, staging.new_name())
        await keeper.execute(staging.create_unlogged(staging.quoted(name), self._target.sql, self._columns or ()))
        self._into = name
        return name

    async def _by_chunks(self, first: Any, items: AsyncGenerator[Any], width: int) -> None:
        """Each chunk in a transaction of its own. What fails before any has landed is raised as it is."""
        crew = Crew(width, self._land)
        try:
            await self._work_off(crew, first, items)
        except Exception as error:
            if not self._chunks and not self._unknown:
                raise
            raise failed(error, self._report()) from error
        except BaseException as error:
            error.add_note(f"{self._report().rows} rows of the load have landed")
            raise

    async def _work_off(self, crew: Crew, first: Any, items: AsyncGenerator[Any]) -> None:
        """Have the crew do it all. Whatever interrupts this, in the wait for the last blocks too, stops the crew."""
        try:
            await self._produce_all(crew, first, items)
        except Exception:
            raise
        except BaseException as error:
            await crew.abandon(error)
            raise
        if crew.failure is not None:
            raise crew.failure

    async def _produce_all(self, crew: Crew, first: Any, items: AsyncGenerator[Any]) -> None:
        """Give it all to a crew, and wait for what it has begun."""
        try:
            await self._produce(crew, first, items)
        except Exception as error:
            await crew.end()
            raise crew.failure or error from None
        await crew.end()

    async def _produce(self, crew: Crew, first: Any, items: AsyncGenerator[Any]) -> None:
        """Give blocks of the source to a crew."""
        reader, block, item, line = self._reader, Block(0), first, 0
        unchecked = self._job.options.get("header") == "match"
        while crew.failure is None:
            batch = reader.take(item) if item is not None else reader.end()
            if batch is not None:
                if block.stop == 0:
                    block = Block(batch.first, line + reader.head_lines)
                if unchecked and reader.head:
                    await self._check_header()
                    unchecked = False
                block.add(batch)
                line += batch.lines
                await self._tell(batch)
            if block.stop and (item is None or block.is_full(self._apart, self._job.chunk_size)):
                if not await crew.give(block):
                    return
                block = Block(0)
            if item is None:
                return
            item = await anext(items, None)

    async def _check_header(self) -> None:
        """Let the server compare the header's names with the columns."""
        sql = copy_sql(
            self._target.name, self._columns, "FROM STDIN", self._format, {**self._options, "header": "match"}
        )
        async with self._door.transaction(), session_of(self._door) as connection:
            await connection._copy_messages(sql, aeach([self._reader.message([(0, self._reader.head)]), COPY_DONE]))

    # What is told -----------------------------------------------------------------------------------------------------

    async def _tell(self, batch: Batch) -> None:
        self._sent += batch.count
        self._bytes += len(batch.data) or sum([len(data) for _, data in batch.records])
        if self._job.progress is not None:
            await value_of(self._job.progress(Progress(self._sent, self._bytes, monotonic() - self._begun)))

    def _report(self) -> Report:
        rejected = sorted([*self._rejected, *self._reader.rejected], key=lambda one: one.row)
        return Report(
            sum(chunk.rows for chunk in self._chunks),
            tuple(sorted(self._chunks, key=lambda chunk: chunk.first)),
            tuple(rejected),
            tuple(sorted(self._unknown, key=lambda chunk: chunk.first)),
            monotonic() - self._begun,
        )
