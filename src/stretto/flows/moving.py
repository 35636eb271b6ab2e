"""Copying a table from one server to another: what was asked for, how it is cut into parts, and the SQL. No I/O."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from stretto.errors import UsageError
from stretto.flows.copy import is_query
from stretto.flows.described import Column, Leaf
from stretto.flows.names import MAX_NAME, quote_name, quote_table
from stretto.flows.query import Flow, check
from stretto.protocol.passing import join_slices
from stretto.protocol.request import Request

Name = str | tuple[str, ...]
Transform = Callable[[dict[str, Any]], "Mapping[str, Any] | None"]

FIRST_BUILT_IN, FIRST_OWN = 1, 16384  # types that initdb makes have the same oid on every server
# Their binary form is an oid or depends on the database: pg_proc's and other names, and their arrays.
_LOCAL_TYPES = {
    24, 1008, 2202, 2207, 2203, 2208, 2204, 2209, 2205, 2210, 2206, 2211, 3734, 3735, 3769, 3770, 4089, 4090, 4096,
    4097, 4191, 4192, 2249, 2287,
}  # fmt: skip
_NO_BINARY = {1033, 1034}  # aclitem
_STRINGS = {25, 1042, 1043}  # text, char(n), varchar: the same bytes
_PART_BLOCKS = (64, 8192)  # the least and the most of a part: half a megabyte, 64 megabytes
_PARTS_A_JOB = 4  # so that the jobs end at about the same time


class Part(NamedTuple):
    """What one COPY reads: all, or the blocks of a table from ``first`` on, up to ``stop`` (None: to its end).

    ``source`` stands behind FROM; ``table`` is what COPY takes without a query.
    """

    source: str
    first: int | None = None
    stop: int | None = None
    table: str | None = None

    @property
    def where(self) -> str:
        if self.first is None:
            return ""
        upper = "" if self.stop is None else f" and ctid < '({self.stop},0)'"
        return f" where ctid >= '({self.first},0)'{upper}"

    def copy(self, columns: Sequence[Column], form: str) -> str:
        """The COPY that reads this part. Of generated columns it takes a query only."""
        names = _names([column.name for column in columns])
        if self.table is not None and self.first is None and not any(column.generated for column in columns):
            return f"copy {self.table} ({names}) to stdout with (format {form})"
        return f"copy ({self.select(names)}) to stdout with (format {form})"

    def select(self, columns: str) -> str:
        """The rows of this part."""
        return f"select {columns} from {self.source}{self.where}"  # noqa: S608  # names are quoted


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. Raises UsageError for what can't be."""

    source: Name
    into: Name
    columns: Mapping[str, str] | None
    jobs: int
    atomic: bool
    create: bool
    verify: bool
    transform: Transform | None
    progress: Callable[[Any], object] | None

    @classmethod
    def of(
        cls,
        source: Name,
        into: Name | None,
        columns: Mapping[str, str] | Sequence[str] | None,
        jobs: int,
        transform: Transform | None,
        **flags: Any,
    ) -> Order:
        if into is None:
            if is_query(source):
                raise UsageError("a query has no table's name: say into= which table its rows go")
            into = source
        quote_table(into)
        if not is_query(source):
            quote_table(source)
        if jobs < 1:
            raise UsageError(f"jobs={jobs}: at least one")
        if transform is not None and (not callable(transform) or inspect.iscoroutinefunction(transform)):
            raise UsageError("transform= is a plain function that takes a row as a dict, and returns one or None")
        if isinstance(columns, str) or (columns is not None and not columns):
            raise UsageError("columns= is a list of names, or a dict of names in the source and in the target")
        if columns is not None and not isinstance(columns, Mapping):
            columns = {name: name for name in columns}
        if columns is not None and len(set(columns.values())) < len(columns):
            raise UsageError("columns= names a column of the target twice")
        return cls(source, into, columns, jobs, transform=transform, **flags)

    @property
    def is_query(self) -> bool:
        return is_query(self.source)

    @property
    def staged(self) -> bool:
        """Whether the rows wait in a table of their own until all are there."""
        return self.atomic and self.jobs > 1

    def source_sql(self) -> str:
        """What stands behind FROM."""
        if self.is_query:
            return f"({str(self.source).strip().rstrip(';')}) as source"
        return quote_table(self.source)

    def staging(self) -> tuple[str, ...]:
        """A name beside the target's, which nobody else has."""
        parts = self.into.split(".", 1) if isinstance(self.into, str) else list(self.into)
        tail = f"_copy_{os.urandom(6).hex()}"
        while len((parts[-1] + tail).encode()) > MAX_NAME:
            parts[-1] = parts[-1][:-1]
        return (*parts[:-1], parts[-1] + tail)


class Pair(NamedTuple):
    """A column of the source and the one that it goes to."""

    source: Column
    target: Column

    @property
    def agree(self) -> bool:
        """Whether what the source writes in binary is what the target reads."""
        ours, theirs = self.source, self.target
        if ours.enum and theirs.enum:
            return True
        if ours.type in _LOCAL_TYPES or not FIRST_BUILT_IN <= ours.type < FIRST_OWN or ours.type in _NO_BINARY:
            return False
        return ours.type == theirs.type or {ours.type, theirs.type} <= _STRINGS

    def expressions(self) -> tuple[str, str]:
        """What is compared: the value as the target's type shows it, on the source and on the target."""
        ours, theirs = quote_name(self.source.name), quote_name(self.target.name)
        if self.agree:
            return ours, theirs
        if self.target.builtin:
            return f"{_shown(ours)}::{self.target.declared}", theirs
        return _shown(ours), _shown(theirs)


def _shown(column: str) -> str:
    """The text that COPY makes of a value, which is not always what a cast makes of it."""
    return f"(case when {column} is distinct from null then pg_catalog.format('%s', {column}) end)"


def pairs_of(order: Order, source: Sequence[Column], target: Sequence[Column] | None) -> list[Pair]:
    """Find the columns that go together; ``target`` None: it will be made as the source is.

    Raises UsageError for columns that one side lacks, or that the server computes.
    """
    ours = {column.name: column for column in source}
    theirs = None if target is None else {column.name: column for column in target}
    wanted = order.columns
    if wanted is None:
        wanted = {
            name: name
            for name, column in ours.items()
            if not (theirs is not None and name in theirs and theirs[name].generated)
        }
    pairs = []
    for name, new in wanted.items():
        if name not in ours:
            raise UsageError(f"the source has no column {name!r}: there are {', '.join(ours)}")
        if theirs is None:
            pairs.append(Pair(ours[name], ours[name]._replace(name=new, generated=False)))
        elif new in theirs and not theirs[new].generated:
            pairs.append(Pair(ours[name], theirs[new]))
        elif order.transform is not None:  # it may well drop it
            pairs.append(Pair(ours[name], ours[name]._replace(name=new)))
        elif new in theirs:
            raise UsageError(f"the target computes its column {new!r}: leave it out of columns=")
        else:
            raise UsageError(
                f"the target has no column {new!r}, there are {', '.join(theirs)}: say in columns= what goes where"
            )
    if not pairs:
        raise UsageError("there is no column to copy")
    return pairs


def parts_of(order: Order, leaves: Sequence[Leaf], version: int) -> list[Part]:
    """Cut a table into parts, for several jobs or to be committed one by one; else all is one part."""
    once = order.jobs == 1 and order.atomic
    if order.is_query or (once and len(leaves) != 1):
        return [Part(order.source_sql())]
    parts: list[Part] = []
    least, most = _PART_BLOCKS
    size = max(least, min(most, sum(leaf.blocks or 0 for leaf in leaves) // (order.jobs * _PARTS_A_JOB) + 1))
    for leaf in leaves:
        name = quote_table((leaf.schema, leaf.name))
        source, table = f"only {name}", name if leaf.kind == "r" else None
        if once or version < 140000 or not leaf.blocks or leaf.blocks <= size:  # before 14 each part would read all
            parts.append(Part(source, table=table))
            continue
        starts = range(0, leaf.blocks, size)
        # The last one has no end: what is visible behind the blocks that were counted is part of it.
        parts += [Part(source, first, first + size if first != starts[-1] else None) for first in starts]
    return parts


def expected_rows(leaves: Sequence[Leaf]) -> int | None:
    """How many rows the planner would expect, or None where the statistics don't say."""
    total = 0.0
    for leaf in leaves:
        if leaf.tuples < 0 or (leaf.pages == 0 and leaf.blocks):
            return None
        blocks = leaf.pages if leaf.blocks is None else leaf.blocks
        total += leaf.tuples * blocks / leaf.pages if leaf.pages else 0
    return round(total) if leaves else None


def create_sql(table: Name, pairs: Sequence[Pair]) -> str:
    """Make a table with the columns of the source: names, types and NOT NULL."""
    columns = [f"{quote_name(new.name)} {new.declared}{' not null' * new.required}" for _, new in pairs]
    return f"create table {quote_table(table)} ({', '.join(columns)})"


def key_sql(table: Name, pairs: Sequence[Pair], source: Sequence[Column]) -> str | None:
    """Give the new table the source's primary key, where all of it is copied."""
    key = [new.name for old, new in pairs if old.key]
    if not key or len(key) != sum(column.key for column in source):
        return None
    return f"alter table {quote_table(table)} add primary key ({_names(key)})"


def staging_sql(staging: Name, into: Name) -> str:
    """Make the table in which rows wait: without constraints, and without a log, for it ends with the copy."""
    return f"create unlogged table {quote_table(staging)} as select * from {quote_table(into)} with no data"  # noqa: S608  # quoted


def land_sql(staging: Name, into: Name, names: Sequence[str]) -> str:
    """Move what waits to where it belongs."""
    columns = _names(names)
    return (
        f"insert into {quote_table(into)} ({columns}) overriding system value "  # noqa: S608  # quoted
        f"select {columns} from {quote_table(staging)}"
    )


def rename_sql(staging: tuple[str, ...], into: Name) -> str:
    """Give the new table its name."""
    last = into.split(".", 1)[-1] if isinstance(into, str) else into[-1]
    return f"alter table {quote_table(staging)} rename to {quote_name(last)}"


def renamed(pairs: Sequence[Pair]) -> str:
    """The columns of the source under the names of the target's."""
    return ", ".join(f"{quote_name(old.name)} as {quote_name(new.name)}" for old, new in pairs)


def sum_sql(expressions: Sequence[str], source: str, where: str, plain: bool) -> str:
    """Count rows and add up their hashes, in whatever order they are. ``plain``: both sides have the same encoding."""
    if not expressions:
        return f"select count(*), 0 from {source}{where}"  # noqa: S608  # names are quoted
    text = f'row({", ".join(expressions)})::text collate "C"'
    if plain:
        value = f"pg_catalog.hashtextextended({text}, 0)"
    else:
        value = f"('x' || left(md5(convert_to({text}, 'UTF8')), 16))::bit(64)::int8"
    return f"select count(*), coalesce(sum({value}), 0)::text from {source}{where}"  # noqa: S608  # names are quoted


def by_transactions(xids: Sequence[int]) -> str:
    """Restrict to the rows that some transactions wrote."""
    return f" where xmin::text::int8 in ({', '.join(map(str, map(int, xids)))})"


def differs(into: Name, read: int, there: int) -> str:
    """Say that what is there is not what was read."""
    what = f"{there} of {read} rows are there" if there != read else f"all {read} rows are there, and not as they were"
    return f"{quote_table(into)} is not what was read: {what}; a trigger or a rule may have done it"


def receive_joined(request: Request, sql: str) -> Flow:
    """Return ``(bytes, rows)`` of what COPY has sent next, or ``(b"", 0)`` at its end. Raises the server's error."""
    if not request.slices and not request.done:
        yield request
    while request.error is not None and not request.done:
        request.take()  # of what failed, nothing is wanted
        yield request
    if request.done:
        check(request, sql)
    size = request.buffered
    slices = request.take()
    return join_slices(slices, size), len(slices) // 3  # PostgreSQL sends one message a row


def transformed(row: dict[str, Any], transform: Transform, names: Set[str]) -> dict[str, Any] | None:
    """Call the hook for a row. Raises UsageError for what is no row, and for other columns than ``names``, if any."""
    found = transform(row)
    if found is None:
        return None
    if type(found) is not dict:
        if not isinstance(found, Mapping):
            raise UsageError(f"transform= returned a {type(found).__name__}: a dict of columns is due, or None")
        found = dict(found)
    if not found or (names and found.keys() != names):
        columns, before = ", ".join(map(str, found)) or "none", ", ".join(sorted(names)) or "there is none"
        raise UsageError(f"transform= returned the columns {columns}, and before {before}: they must be the same")
    return found


def count_of(said: Any) -> int:
    """The rows of a COPY, of its command tag."""
    return int(str(said).rpartition(" ")[2])


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(quote_name, names))
