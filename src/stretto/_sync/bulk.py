# Generated from src/stretto/_async/bulk.py by tools/make_sync.py: do not edit.
"""Bulk loads for blocking code, threads and gevent: from a source into a table, over one connection or several."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from time import monotonic
from typing import Any

from stretto._sync.landing import Landing
from stretto._sync.lanes import KeptLane, in_parallel, is_in_parallel
from stretto._sync.session import session_of
from stretto.errors import DatabaseError, Error
from stretto.flows import staging
from stretto.flows.ambient import NOTHING, scope_of, surroundings
from stretto.flows.batches import Batch, Block, reader_for
from stretto.flows.bulk import Chunk, Job, Progress, Report, advise, failed, locate
from stretto.flows.copy import copy_sql
from stretto.flows.frames import frame_of, lists_of
from stretto.flows.rows import columns_for
from stretto.runtime.crew import Crew
from stretto.runtime.sources import cut, each, items_of
from stretto.runtime.turns import value_of
from stretto.wire.frontend import COPY_DONE

TIDYING = 5.0  # seconds for a staging table of a load that failed to be dropped
DEFAULT_CHUNKS = 4  # connections of a load by chunks: one process encodes about as fast as four of the server's store


def load(db: Any, job: Job) -> Report:
    """Do what copy_in() was asked for."""
    return Load(db, job).run()


class Load(Landing):
    """One call of copy_in()."""

    def run(self) -> Report:
        job = self._job
        frame = frame_of(job.source) if job.format is None else None
        source, columns = (job.source, job.columns) if frame is None else lists_of(frame, self._target, job.columns)
        items: Generator[Any] = items_of(source, job.format) if frame is None else each(source)
        if job.chunk_size is not None and job.format is None:
            items = cut(items, job.chunk_size)
        try:
            first = self._first(items)
            self._prepare(first, columns)
            width = self._width()
            self._merging &= not job.atomic or width == 1
            if job.atomic and width == 1:
                self._in_one(first, items)
            elif job.atomic:
                with in_parallel(self._db):
                    self._in_parallel(first, items, width)
            else:
                self._by_chunks(first, items, width)
        finally:
            items.close()
        return self._report()

    # Before -----------------------------------------------------------------------------------------------------------

    def _first(self, items: Generator[Any]) -> Any:
        """What comes first; in a transaction the source may not use it, from the first row on."""
        scope = scope_of(self._db)
        if scope is None or self._apart or not self._job.atomic:
            return next(items, None)
        scope.check()
        scope.trunk.copying = True
        try:
            return next(items, None)
        finally:
            scope.trunk.copying = False

    def _prepare(self, first: Any, columns: Any) -> None:
        """Find the columns and how rows become them."""
        job, target, run, shared = self._job, self._target, self._db._run, self._db._shared
        cut = self._apart or not job.atomic or self._width() > 1
        sample = first[0] if job.format is None and first else None
        self._columns, plan = run(columns_for(shared, target, job, columns, sample), None)
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

    def _in_one(self, first: Any, items: Generator[Any]) -> None:
        """All in one transaction, on one connection."""
        with self._transaction():
            self._stage()
            if self._apart:
                crew = Crew(1, self._land_part)
                self._produce(crew, first, items)
                if crew.failure is not None:
                    raise crew.failure
                copied, rows = self._reader.count, sum(chunk.rows for chunk in self._chunks)
            else:
                rows = self._stream(first, items)
                copied = rows if self._reader.lines else self._reader.count
                if self._merging:
                    rows = self._merge_all(self._door)
            self._unstage()
            self._ask_xid()
        self._chunks = [Chunk(0, copied, rows)]

    def _stream(self, first: Any, items: Generator[Any]) -> int:
        with session_of(self._door) as connection:
            messages = connection._messages(self._reader, first, items, self._tell)
            try:
                return self._send(connection, messages)
            except DatabaseError as error:
                if error.query == self._copy_sql():  # it is not the source's own
                    locate(error, 0, 0 if self._reader.lines else None)
                    advise(error)
                raise

    def _merge_all(self, door: Any) -> int:
        try:
            return self._merge(door)
        except DatabaseError as error:
            advise(error)
            raise

    def _in_parallel(self, first: Any, items: Generator[Any], width: int) -> None:
        """All or nothing over several connections: into an unlogged table, and from there in one transaction.

        That is the keeper's, who has made the table: the server's crash, which empties it, ends all who were connected.
        """
        with self._db.connection() as keeper:
            name = self._create_staging(keeper)
            crew = Crew(width, self._land_staged)
            try:
                self._work_off(crew, first, items)
                door = KeptLane(self._db, keeper)
                with door.transaction():
                    rows = self._merge_all(door)
                    door.execute(staging.drop(staging.quoted(name)))
            except BaseException:
                with suppress(Error), surroundings(NOTHING):  # a deadline that has passed is not for this
                    keeper.execute(staging.drop(staging.quoted(name)), timeout=TIDYING)
                raise
        self._chunks = [Chunk(0, self._reader.count, rows)]

    def _create_staging(self, keeper: Any) -> tuple[str, ...]:
        """Make the unlogged table, and drop those that loads before left when they were killed."""
        schema = keeper.fetchval(staging.SCHEMA, self._target.sql)
        with self._door.transaction():
            for left in self._door.fetch(staging.ABANDONED, self._target.sql, into=str):
                self._door.execute(staging.drop(left))
        name = (schema, staging.new_name())
        keeper.execute(staging.create_unlogged(staging.quoted(name), self._target.sql, self._columns or ()))
        self._into = name
        return name

    def _by_chunks(self, first: Any, items: Generator[Any], width: int) -> None:
        """Each chunk in a transaction of its own. What fails before any has landed is raised as it is."""
        crew = Crew(width, self._land)
        try:
            self._work_off(crew, first, items)
        except Exception as error:
            if not self._chunks and not self._unknown:
                raise
            raise failed(error, self._report()) from error
        except BaseException as error:
            error.add_note(f"{self._report().rows} rows of the load have landed")
            raise

    def _work_off(self, crew: Crew, first: Any, items: Generator[Any]) -> None:
        """Have the crew do it all. Whatever interrupts this, in the wait for the last blocks too, stops the crew."""
        try:
            self._produce_all(crew, first, items)
        except Exception:
            raise
        except BaseException as error:
            crew.abandon(error)
            raise
        if crew.failure is not None:
            raise crew.failure

    def _produce_all(self, crew: Crew, first: Any, items: Generator[Any]) -> None:
        """Give it all to a crew, and wait for what it has begun."""
        try:
            self._produce(crew, first, items)
        except Exception as error:
            crew.end()
            raise crew.failure or error from None
        crew.end()

    def _produce(self, crew: Crew, first: Any, items: Generator[Any]) -> None:
        """Give blocks of the source to a crew."""
        reader, block, item, line = self._reader, Block(0), first, 0
        unchecked = self._job.options.get("header") == "match"
        while crew.failure is None:
            batch = reader.take(item) if item is not None else reader.end()
            if batch is not None:
                if block.stop == 0:
                    block = Block(batch.first, line + reader.head_lines)
                if unchecked and reader.head:
                    self._check_header()
                    unchecked = False
                block.add(batch)
                line += batch.lines
                self._tell(batch)
            if block.stop and (item is None or block.is_full(self._apart, self._job.chunk_size)):
                if not crew.give(block):
                    return
                block = Block(0)
            if item is None:
                return
            item = next(items, None)

    def _check_header(self) -> None:
        """Let the server compare the header's names with the columns."""
        sql = copy_sql(
            self._target.name, self._columns, "FROM STDIN", self._format, {**self._options, "header": "match"}
        )
        with self._door.transaction(), session_of(self._door) as connection:
            connection._copy_messages(sql, each([self._reader.message([(0, self._reader.head)]), COPY_DONE]))

    # What is told -----------------------------------------------------------------------------------------------------

    def _tell(self, batch: Batch) -> None:
        self._sent += batch.count
        self._bytes += len(batch.data) or sum([len(data) for _, data in batch.records])
        if self._job.progress is not None:
            value_of(self._job.progress(Progress(self._sent, self._bytes, monotonic() - self._begun)))

    def _report(self) -> Report:
        rejected = sorted([*self._rejected, *self._reader.rejected], key=lambda one: one.row)
        return Report(
            sum(chunk.rows for chunk in self._chunks),
            tuple(sorted(self._chunks, key=lambda chunk: chunk.first)),
            tuple(rejected),
            tuple(sorted(self._unknown, key=lambda chunk: chunk.first)),
            monotonic() - self._begun,
        )
