"""Autocommit writes of one row each, by 1, 10 and 100 callers: each is a commit that the server makes durable.

A contender takes ``(url, callers, connections, sql)`` and yields a list with a function for each caller,
``(key, note) -> anything``, and one that gives the single value of a query. `sql` has ``{key}`` and ``{note}`` where
the parameters go.
"""

from __future__ import annotations

from typing import Any

from benchmarks import load
from benchmarks.cases import COMMON, WAITS, Case, Column, Job, takes_callers
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes

SQL = {
    "insert": "insert into entry (account, note) values ({key}, {note})",
    "update": "update account set note = {note}, changes = changes + 1 where id = {key}",
}
# How often it has been done, as the table tells.
_DONE = {"insert": "select count(*)::int from entry", "update": "select sum(changes)::int from account"}
_NOTE = "what was noted, in about as many characters as a note has"
_TABLES = """
    drop table if exists entry, account;
    create table entry (
        id bigint generated always as identity primary key, account int4, note text, made timestamptz default now()
    );
    create table account (id int4 primary key, note text, changes int4 not null) with (fillfactor = 50);
"""


def setup(db: Any, sizes: Sizes) -> None:
    db.execute(_TABLES)
    db.execute(f"insert into account select i, null, 0 from generate_series(1, {sizes.points}) i")
    db.execute("vacuum (analyze) account")


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"what": what, "callers": callers} for what in SQL for callers in sizes.writers]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    what, callers, sizes = job.variant["what"], job.variant["callers"], job.sizes
    async with opened(contender, job.url, callers, sizes.connections, SQL[what]) as (functions, value):
        before = await call(value, _DONE[what])
        rows = [((key, _NOTE) for key in load.keys(caller, sizes.points)) for caller in range(callers)]
        warm = await load.callers(contender.asynchronous, functions, rows, sizes.warmup)
        with Window(job.server_pid) as window:
            waits = await load.callers(contender.asynchronous, functions, rows, sizes.seconds)
        expect(await call(value, _DONE[what]) - before, len(warm) + len(waits), "rows written")
    return window.result(len(waits), **load.latencies(waits))


CASE = Case(
    name="writes",
    about="one row written and committed by each statement",
    setup=setup,
    variants=variants,
    takes=takes_callers,
    run=run,
    baselines=("asyncpg pool", "psycopg 3 asyncio pool", "psycopg2 held|psycopg2 pool"),
    rate=Column("rate", "writes/s", ",.0f"),
    columns=(*COMMON, *WAITS),
)
