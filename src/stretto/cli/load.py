"""``stretto load``: files into a table, which is made for them when asked."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from stretto import Database, Progress, Report
from stretto.cli.bars import Move, View, a_second
from stretto.cli.files import STDIN, Source
from stretto.cli.naming import Table, quoted
from stretto.cli.sampling import guesses, named
from stretto.errors import BulkError, CommitUnknown, DatabaseError, Error, UsageError

COLUMNS = """
select attname::text from pg_catalog.pg_attribute
 where attrelid = pg_catalog.to_regclass($1) and attnum > 0 and not attisdropped order by attnum
"""
NO_TEXT = "22021"  # the SQLSTATE for bytes of another encoding
_COUNTED = re.compile(r"((?:line|row|record) \d+)(?: of the source)?: ")
SHOWN = 20  # rejected rows that are printed


@dataclass
class Load:
    """One run of the command: its options, and what came of it."""

    url: str | None
    sources: list[Source]
    into: Table
    create: bool = False
    format: str | None = None
    columns: list[str] | None = None
    header: bool | None = None
    delimiter: str | None = None
    null: str | None = None
    chunks: int | None = None
    chunk_size: int | None = None
    atomic: bool = True
    on_conflict: Literal["ignore", "update"] | None = None
    on: list[str] | None = None
    errors: Literal["raise", "report"] = "raise"
    sample: int = 10_000
    view: View = field(default_factory=View)

    def run(self) -> None:
        """Load one file after the other. Raises stretto's errors and OSError; what landed is printed first."""
        self._check()
        done: list[tuple[Source, Report]] = []
        together = self.atomic and self.chunks in (None, 1)
        with Database(self.url, connections=max(4, (self.chunks or 1) + 1)) as db, ExitStack() as block:
            if together:
                block.enter_context(db.transaction())
            made = self._create(db) if self.create else False
            try:
                for source in self.sources:
                    done.append((source, self._one(db, source)))  # noqa: PERF401  # is read after a failure
            except BaseException as error:
                if isinstance(error, BulkError) and isinstance(error.report, Report):
                    done.append((self.sources[len(done)], error.report))
                if not together:
                    self._print("These have landed, before it failed:", done)
                    if made and not done:
                        self._unmake(db, error)
                elif done:
                    self.view.say("  Nothing has landed: all files go in one transaction.")
                raise
        self._print("", done)

    def _check(self) -> None:
        """Raise UsageError for options that don't go together, and OSError for files that are not there."""
        for source in self.sources:
            source.check()
        forms = {self._format(source) for source in self.sources}
        if self.create and forms != {"csv"}:
            raise UsageError("--create reads CSV files: of text and binary ones nobody can tell the types")
        if self.header and "binary" in forms:
            raise UsageError("--header is for CSV and text: binary files have no line that names the columns")
        char = self.delimiter
        if char is not None and (len(char) != 1 or not char.isascii() or char in '"\r\n\0'):
            raise UsageError(f"--delimiter {char!r}: it is one ASCII character, not a quote nor a line's end")

    def _format(self, source: Source) -> str:
        return self.format or source.format

    def _one(self, db: Database, source: Source) -> Report:
        form = self._format(source)
        options: dict[str, Any] = {"null": self.null, "delimiter": self.delimiter}
        columns = self.columns
        if form == "csv":
            options["delimiter"] = self.delimiter or source.delimiter()
        if self.header or (form == "csv" and self.header is None):
            header = source.header(options["delimiter"] or "\t", text=form == "text")
            columns = columns or (named(header) if self.create else _found(db, self.into, source, header))
            options["header"] = True
        begun = time.monotonic()
        with self.view.bar(source.name) as move:
            try:
                report = db.copy_in(
                    self.into,
                    source.pieces(text=form != "binary"),
                    columns=columns or None,
                    format=form,
                    chunks=self.chunks,
                    chunk_size=self.chunk_size,
                    atomic=self.atomic,
                    on_conflict=self.on_conflict,
                    on=self.on,
                    errors=self.errors,
                    progress=lambda now: _moved(move, source, now),
                    **{name: value for name, value in options.items() if value is not None},
                )
            except DatabaseError as error:
                error.message = _placed(source, error)
                raise
            except UsageError as error:
                if len(self.sources) > 1:
                    error.args = (f"{source.name}: {error}",)
                raise
            move(1, report.rows, 1)
        return report if report.seconds else Report(report.rows, seconds=time.monotonic() - begun)

    def _create(self, db: Database) -> bool:
        """Make the table from what the files' first rows show."""
        names: list[str] = []
        rows: list[list[str]] = []
        complete = True
        for source in self.sources:
            if source.path == STDIN:
                raise UsageError("the standard input is not looked at as a whole beforehand: --create needs a file")
            delimiter = self.delimiter or source.delimiter()
            sample = source.sample(delimiter, header=self.header is not False, rows=self.sample)
            header = self.columns or named(sample.header or _numbered(sample.rows))
            if names and header != names:
                raise UsageError(f"{source.name} has other columns than {self.sources[0].name}: --columns names them")
            names = header
            rows += sample.rows
            complete = complete and sample.complete
        if not names:
            raise UsageError(f"{self.sources[0].name} is empty: no table can be made of it")
        found = guesses(names, rows, self.null or "")
        lines = [f"{quoted((each.name,))} {each.declared(complete=complete)}" for each in found]
        sql = f"create table {quoted(self.into)} ({', '.join(lines)})"
        db.execute(sql)
        self.view.say(f"  {sql}")
        return True

    def _unmake(self, db: Database, error: BaseException) -> None:
        """Drop the table that was made, unless rows may be in it: what has landed is not taken back."""
        if isinstance(error, CommitUnknown) or not (self.atomic or isinstance(error, Exception)):
            return
        try:
            db.execute(f"drop table {quoted(self.into)}")
        except Error as second:
            error.add_note(f"the table {quoted(self.into)} is left, without rows: {type(second).__name__}")

    def _print(self, title: str, done: list[tuple[Source, Report]]) -> None:
        if title and not done:
            return
        if title:
            self.view.say(f"  {title}")
        columns = ["file", "rows", "rejected", "chunks", "seconds", "rows/s"]
        lines = []
        for source, report in done:
            rate = a_second(report.rows, report.seconds)
            counts = [report.rows, len(report.rejected), len(report.chunks), report.seconds, rate]
            lines.append([source.name, *counts])
        self.view.table(columns, lines)
        rejected = [(source.name, one) for source, report in done for one in report.rejected]
        if rejected:
            first = [[name, one.row + 1, one.column, one.reason] for name, one in rejected[:SHOWN]]
            self.view.table(["file", "row", "column", "why it was rejected"], first)
        if len(rejected) > SHOWN:
            self.view.say(f"  ... and {len(rejected) - SHOWN:,} more")


def _found(db: Database, table: Table, source: Source, header: list[str]) -> list[str]:
    """The table's columns that a header means: of the same name, or as --create would name them."""
    there = db.fetch(COLUMNS, quoted(table), into=str)
    if not there:
        raise UsageError(f"there is no table {'.'.join(table)}: --create makes it")
    found: list[str] = []
    for text, name in zip(header, named(header), strict=True):
        column = next((each for each in (text, text.strip(), name) if each in there), None)
        if column is None:
            have = ", ".join(there)
            text = f"{'.'.join(table)} has no column {text!r}, there are {have}: --columns names them"
            raise UsageError(f"{source.name}: {text}")
        if column in found:
            raise UsageError(f"{source.name}: its first line names {text!r} twice: --columns says which is which")
        found.append(column)
    return found


def _moved(move: Move, source: Source, now: Progress) -> None:
    move(source.read, now.rows, source.size)


def _placed(source: Source, error: DatabaseError) -> str:
    """The message with the file, and the line and the column where the server has told them."""
    message = error.message
    where = (error.where or "").partition("\n")[0]
    place = where.partition(", ")[2].partition(":")[0] if where.startswith("COPY ") else ""
    if found := _COUNTED.match(message):  # by the whole file, while the server's is of a chunk
        _, comma, column = place.partition(",")
        place, message = f"{found[1]}{comma}{column}", message[found.end() :]
    if not place and error.detail and error.constraint_name:  # no line is known: say which values these are
        message += f" ({error.detail})"
    if error.sqlstate == NO_TEXT:
        message += ": the file is to be UTF-8, without NUL; iconv converts others"
    return f"{source.name}{', ' * bool(place)}{place}: {message}"


def _numbered(rows: list[list[str]]) -> list[str]:
    return [f"column_{place}" for place in range(1, len(rows[0]) + 1)] if rows else []
