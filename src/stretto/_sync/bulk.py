# Generated from src/stretto/_async/bulk.py by tools/make_sync.py: do not edit.
"""Bulk loads for blocking code, threads and gevent: from a source into a table, over one connection or several."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from time import monotonic
from typing import Any

from stretto._sync.lanes import KeptLane, Lane, in_parallel, is_in_parallel
from stretto._sync.session import session_of
from stretto.errors import CommitUnknown, DatabaseError, Error
from stretto.flows import staging
from stretto.flows.ambient import NOTHING, scope_of, surroundings
from stretto.flows.batches import Batch, Block, Reader, Record, reader_for, row_at
from stretto.flows.bulk import Chunk, Job, Progress, Rejected, Report, failed, is_rows_fault, locate
from stretto.flows.copy import copy_sql
from stretto.flows.frames import frame_of, lists_of
from stretto.flows.rows import Target, columns_for
from stretto.runtime.crew import Crew
from stretto.runtime.sources import cut, each, items_of
from stretto.runtime.turns import value_of
from stretto.wire.frontend import COPY_DONE

TIDYING = 5.0  # seconds for a staging table of a load that failed to be dropped
DEFAULT_CHUNKS = 4  # connections of a load by chunks: one process encodes about as fast as four of the server's store


def load(db: Any, job: Job) -> Report:
    """Do what copy_in() was asked for."""
    return Load(db, job).run()


class Load:
    """One call of copy_in(): what it is to do, and what it has done so far."""

    def __init__(self, db: Any, job: Job) -> None:
        self._db = db
        self._job = job
        self._target = Target.of(job.target)
        self._inside = scope_of(db) is not None
        self._door: Any = db if self._inside else Lane(db)
        self._apart = job.errors == "report"
        self._into: Any = self._target.name  # a COPY goes here: the target or a staging table
        self._columns: Sequence[str] | None = None
        self._format = job.format or "binary"
        self._options = dict(job.options)
        self._reader: Any = Reader()
        self._begun = monotonic()
        self._sent = self._bytes = 0
        self._chunks: list[Chunk] = []
        self._unknown: list[Chunk] = []
        self._rejected: list[Rejected] = []

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
                if self._job.on_conflict is not None:
                    rows = self._merge(self._door)
            self._unstage()
            self._ask_xid()
        self._chunks = [Chunk(0, copied, rows)]

    def _stream(self, first: Any, items: Generator[Any]) -> int:
        with session_of(self._door) as connection:
            messages = connection._messages(self._reader, first, items, self._tell)
            try:
                return self._send(connection, messages)
            except Error as error:
                locate(error, 0, 0 if self._job.format else None)
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
                    rows = self._merge(door)
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
                    block = Block(batch.first, line + reader.head.count(b"\n"))
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

    # One block --------------------------------------------------------------------------------------------------------

    def _land(self, block: Block) -> None:
        """A chunk, in its own transaction."""
        chunk = Chunk(block.first, block.stop, 0)
        try:
            rows, rejected = self._bring_all(block)
        except CommitUnknown:
            self._unknown.append(chunk)
            raise
        self._chunks.append(replace(chunk, rows=rows))
        self._rejected += rejected

    def _bring_all(self, block: Block) -> Any:
        """Bring a chunk; where a row breaks a constraint that is deferred, again, so that it is found."""
        try:
            return self._door.transact(self._bring, block)
        except DatabaseError as error:
            if not self._apart or not is_rows_fault(error):
                raise
        return self._door.transact(self._bring, block, "set constraints all immediate")

    def _bring(self, block: Block, before: str = "") -> tuple[int, list[Rejected]]:
        """How many of a chunk's rows have landed, and those that have not; it may be called again."""
        rejected: list[Rejected] = []
        if before:
            self._door.execute(before)
        self._stage()
        rows = self._isolate(block.records, rejected) if self._apart else self._fill(block)
        self._unstage()
        self._ask_xid()
        return rows, rejected

    def _land_part(self, block: Block) -> None:
        """A part of the one transaction."""
        self._chunks.append(Chunk(block.first, block.stop, self._isolate(block.records, self._rejected)))

    def _land_staged(self, block: Block) -> None:
        """A part of what is staged; alone on its connection."""
        with self._door.transaction(), session_of(self._door) as connection:
            self._copy_block(connection, block)
            self._ask_xid()

    def _isolate(self, records: list[Record], rejected: list[Rejected]) -> int:
        """Land records without those that the server refuses, each of which is found and put with the rejected."""
        landed, todo = 0, [records] if records else []
        while todo:
            part = todo.pop()
            try:
                with self._door.transaction():
                    rows = self._fill(Block(part[0][0], messages=[self._reader.message(part)]))
                landed += rows
            except DatabaseError as error:
                if not is_rows_fault(error):
                    raise
                if len(part) == 1:
                    rejected.append(Rejected.by(part[0][0], error))
                    continue
                bad = row_at(error, part, self._reader.lines)
                cuts = (0, len(part) // 2, len(part)) if bad is None else (0, bad, bad + 1, len(part))
                todo += [part[a:b] for a, b in reversed(list(pairwise(cuts))) if a < b]
        return landed

    def _fill(self, block: Block) -> int:
        """Bring a block into the target, in the open transaction."""
        with session_of(self._door) as connection:
            rows = self._copy_block(connection, block)
        if self._job.on_conflict is None:
            return rows
        rows = self._merge(self._door)
        self._door.execute(staging.empty(self._into))
        return rows

    def _copy_block(self, connection: Any, block: Block) -> int:
        messages = [self._reader.begin(), *block.messages, self._reader.finish()]
        try:
            return self._send(connection, each(messages))
        except Error as error:
            if not self._apart:
                locate(error, block.first, block.line if self._reader.lines else None)
            raise

    def _send(self, connection: Any, messages: Iterator[bytes]) -> int:
        sql = copy_sql(self._into, self._columns, "FROM STDIN", self._format, self._options)
        tag: str = connection._copy_messages(sql, messages)
        return int(tag.rpartition(" ")[2])

    # Staging ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """The transaction of all; where one is open, that, with a savepoint where there is more than the COPY."""
        if self._inside and self._job.on_conflict is None and not self._apart:
            yield
        else:
            with self._door.transaction():
                yield

    def _stage(self) -> None:
        if self._job.on_conflict is not None:
            self._door.execute(staging.create_temporary(self._target.sql, self._columns or ()))
            self._into = (staging.TEMPORARY,)

    def _ask_xid(self) -> None:
        """Ask for the transaction's number before its COMMIT, whose answer may be lost; COPY itself can't be asked."""
        scope = scope_of(self._door)
        if scope is not None and not self._inside:
            with session_of(self._door) as connection:
                connection._link.run(scope.trunk.xid.settle(), None)

    def _unstage(self) -> None:
        if self._job.on_conflict is not None and self._inside:  # that transaction goes on, and another load may come
            self._door.execute(staging.drop(staging.quoted(self._into)))

    def _merge(self, door: Any) -> int:
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
        tag = door.execute(sql)
        return int(tag.rpartition(" ")[2])

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
