"""Writing many objects at once, all or nothing: one statement for all that are alike, all statements under one Sync.

Objects are alike when they are of one Model and have the same columns to write. They travel as one array of the
table's row type; where that can't be sent (a table named like a type of PostgreSQL's, a column without a binary
format), each has a statement of its own in the same batch. Every statement fails by itself where a row is missing, so
that the others are undone too. Also here: what a Model's own statements do.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from stretto.codecs.arrays import Rows
from stretto.errors import DatabaseError, UsageError
from stretto.flows.batch import batch
from stretto.flows.query import Flow, maker_for, perform, prepare, unusual
from stretto.flows.shared import Shared
from stretto.flows.warm import Fetch
from stretto.model import dml, ownsql
from stretto.model.writing import Plan, Writer, writer_for
from stretto.protocol.lexer import number_names
from stretto.protocol.request import Request
from stretto.protocol.statement import Statement
from stretto.wire import backend

CHUNK = 50_000  # objects a statement


@dataclass(slots=True, eq=False, repr=False)
class Member:
    """One object, the arguments for it, and its values by place."""

    obj: Any
    args: tuple[Any, ...]
    values: list[Any]


@dataclass(slots=True, eq=False, repr=False)
class Job:
    """One statement for some objects, and what has come of it. ``own``: it is the Model's, which has no guard."""

    writer: Writer
    verb: str
    sql: str
    args: tuple[Any, ...]
    into: Any
    returned: tuple[int, ...]
    members: list[Member]
    own: bool = False
    rows: Any = ()
    tag: str = ""

    def check(self, alone: bool) -> None:
        """Raise what the Model's own statement did not do. ``alone``: its object was given by itself."""
        if self.own and (self.tag.endswith(" 0") or len(self.rows) > 1):
            if len(self.rows) > 1:
                raise UsageError(f"{self.writer.title}: its {self.verb}= gave {len(self.rows)} rows for one object")
            raise self.failure(1, alone)

    def failure(self, missing: int, alone: bool = False) -> DatabaseError:
        """The error for objects that were not written."""
        verb = self.verb if alone else f"{self.verb}_many"
        make = self.writer.stale if self.verb == "update" else self.writer.swallowed
        return make(verb, missing, len(self.members))

    def finish(self) -> None:
        """Put what came back into the objects."""
        fill, places = self.writer.fill, self.returned
        if not places or not self.rows:
            for member in self.members:
                self.writer.remember(member.obj, member.values)
            return
        for member, row in zip(self.members, self.rows, strict=True):
            fill(member.obj, member.values, places, row)


def insert_many(shared: Shared, objs: list[Any]) -> Flow:
    """Insert objects, all or nothing. Round trips as insert.

    While it waits for a connection there is nothing of it but the objects.
    """
    return (yield from insert_alike(shared, objs) or insert(shared, objs))


def insert_alike(shared: Shared, objs: list[Any]) -> Flow | None:
    """Insert several objects that are alike, whose statement is known: the warm case, in few steps. Else None."""
    if not 1 < len(objs) <= CHUNK:
        return None
    writer = writer_for(objs[0])
    found = None if writer.own("insert") else writer.alike(objs)
    if found is None or not found[0].many:
        return None
    plan, values, args = found
    statement = shared.statements.get(plan.many)
    if statement is None or not _sends_rows(statement, plan):
        return None
    _refuse_twins(objs)
    finish = partial(_filled, writer, plan.returned, objs, values)
    cold = partial(_cold, writer, len(objs))
    return Fetch(shared, plan.many, (Rows(plan.columns, args), len(objs)), plan.into, finish, maker_for, cold)  # type: ignore[return-value]  # it does what a generator does


def _filled(writer: Writer, places: tuple[int, ...], objs: list[Any], values: list[Any], rows: list[Any]) -> list[Any]:
    if places:
        for obj, own, row in zip(objs, values, rows, strict=True):
            writer.fill(obj, own, places, row)
    else:
        for obj, own in zip(objs, values, strict=True):
            writer.remember(obj, own)
    return objs


def _cold(writer: Writer, count: int, *fetch: Any) -> Flow:
    """A fetch that is more than a known statement with a plain answer; says of a failed guard what it means."""
    try:
        return (yield from unusual(*fetch))
    except DatabaseError as error:
        missing = dml.missing_of(error)
        if missing is None:
            raise
        raise _told(writer.swallowed("insert_many", missing, count), error) from None


def insert(shared: Shared, objs: list[Any], alone: bool = False) -> Flow:
    """Insert objects, all or nothing. One round trip; cold, one more for each statement."""
    _refuse_twins(objs)
    groups: dict[Any, tuple[Writer, Plan | None, list[Member]]] = {}
    for obj in objs:
        writer = writer_for(obj)
        values = writer.values(obj)
        if writer.own("insert"):
            groups.setdefault(writer, (writer, None, []))[2].append(Member(obj, (), values))
        else:
            plan = writer.insertion(values)
            member = Member(obj, writer.encoded(plan.given, values), values)
            groups.setdefault(plan, (writer, plan, []))[2].append(member)
    yield from _write(shared, "insert", groups.values(), alone)
    return objs[0] if alone else objs


def update(shared: Shared, objs: list[Any], alone: bool = False) -> Flow:
    """Write what was changed of objects, all or nothing. Round trips as insert."""
    _refuse_twins(objs)
    groups: dict[Any, tuple[Writer, Plan | None, list[Member]]] = {}
    keys: set[Any] = set()
    for obj in objs:
        writer = writer_for(obj)
        change = writer.change(obj)
        if change is None:
            continue
        if writer.own("update"):
            groups.setdefault(writer, (writer, None, []))[2].append(Member(obj, (), change.values))
            continue
        keys.add((writer, change.row) if isinstance(change.row, Hashable) else id(obj))
        groups.setdefault(change.plan, (writer, change.plan, []))[2].append(Member(obj, change.args, change.values))
    _refuse_same_row(keys, sum(len(members) for _, plan, members in groups.values() if plan is not None))
    yield from _write(shared, "update", groups.values(), alone)
    return objs[0] if alone else objs


def _write(shared: Shared, verb: str, groups: Iterable[tuple[Writer, Plan | None, list[Member]]], alone: bool) -> Flow:
    jobs: list[Job] = []
    for writer, plan, members in groups:
        if plan is None:
            jobs += yield from _own_jobs(shared, writer, verb, members)
        elif len(members) > 1 and plan.many and (yield from _takes_rows(shared, plan)):
            for start in range(0, len(members), CHUNK):
                part = members[start : start + CHUNK]
                args = Rows(plan.columns, [member.args for member in part]), len(part)
                jobs.append(Job(writer, verb, plan.many, args, plan.into, plan.returned, part))
        else:
            jobs += [Job(writer, verb, plan.single, one.args, plan.into, plan.returned, [one]) for one in members]
    try:
        yield from _run(shared, jobs)
    except DatabaseError as error:
        missing = dml.missing_of(error)
        if missing is None:
            raise
        failed = next(job for job in jobs if job.sql == error.query)
        raise _told(failed.failure(missing), error) from None
    for job in jobs:
        job.check(alone)
    for job in jobs:
        job.finish()


def _told(failure: DatabaseError, error: DatabaseError) -> DatabaseError:
    """Keep what the server said beside what it means: a transaction knows by it that this is what failed it."""
    failure.fields, failure.sqlstate, failure.query = error.fields, error.sqlstate, error.query
    return failure


def _run(shared: Shared, jobs: list[Job]) -> Flow:
    """Execute the statements under one Sync."""
    if len(jobs) == 1:
        (job,) = jobs
        rows: list[Any] = []
        request: Request = yield from perform(shared, job.sql, job.args, job.into, rows)
        job.rows, job.tag = rows, backend.command_tag(request.tag) if request.tag is not None else ""
    elif jobs:
        results = yield from batch(shared, [(job.sql, job.args, job.into) for job in jobs])
        for job, result in zip(jobs, results, strict=True):
            job.rows, job.tag = result.rows, result.tag


def _takes_rows(shared: Shared, plan: Plan) -> Generator[Request, Any, bool]:
    """Whether the array of rows can be sent: each column has a binary format and may be NULL.

    A domain that is not NULL is refused in a row even where the column is not written; so any domain is given a miss.
    """
    return _sends_rows((yield from prepare(shared, plan.many)), plan)


def _sends_rows(statement: Statement, plan: Plan) -> bool:
    """As _takes_rows, of a statement; it remembers the answer until it is described anew."""
    known = statement.makers.get(plan)
    if known is None:
        known = statement.makers[plan] = _all_binary(statement, plan)
    return bool(known)


def _all_binary(statement: Statement, plan: Plan) -> bool:
    row: Any = getattr(statement.parameters[0], "element", None)
    if not hasattr(row, "codecs"):
        return False
    columns = zip(row.names, row.oids, row.codecs, strict=True)
    return all(name in plan.columns or oid == codec.oid for name, oid, codec in columns)


def _own_jobs(shared: Shared, writer: Writer, verb: str, members: list[Member]) -> Generator[Request, Any, list[Job]]:
    sql, names = number_names(writer.own(verb))
    places = ownsql.parameters(writer, verb, names)
    statement = yield from prepare(shared, sql)
    returned = ownsql.results(writer, verb, [column.name for column in statement.columns])
    into = writer.into(returned)
    return [
        Job(writer, verb, sql, ownsql.arguments(writer, verb, places, one.values), into, returned, [one], own=True)
        for one in members
    ]


def _refuse_twins(objs: list[Any]) -> None:
    if len({id(obj) for obj in objs}) != len(objs):
        raise UsageError("an object is in the list twice: it can only be written once")


def _refuse_same_row(keys: set[Any], count: int) -> None:
    if len(keys) != count:
        raise UsageError("two objects of the list are the same row: which of them is to be written?")
